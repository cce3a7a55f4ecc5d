use std::sync::Arc;

use aggregates::{Quota, QuotaCommand, UserId};
use axum::Json;
use axum::extract::State;
use event_store::{Context, ExecuteError, Executed};
use futures::FutureExt;
use projections::quota_usage;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::order::Order;
use crate::app::App;
use crate::error::ApiError;
use crate::http::done::Done;
use crate::http::extract::{Admin, Body, Id, NoParams, once};

/// How many bytes somebody may keep.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LimitQuota {
    /// Bytes.
    limit: u64,
}

/// Figures in bytes.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Limited {
    limit: u64,
    used: u64,
    reserved: u64,
    /// More is used and reserved than the limit allows: nothing goes, and nothing new fits.
    warning: bool,
}

/// Somebody's quota.
#[utoipa::path(get, path = "/admin/users/{id}/quota", tag = "administration", params(Id<UserId>),
    security(("access_token" = ["admin"])), responses((status = 200, body = Limited)))]
pub async fn quota(
    State(app): State<Arc<App>>,
    _: Admin,
    Id(person): Id<UserId>,
    _: NoParams,
) -> Result<Json<Limited>, ApiError> {
    let row = quota_usage::find(app.store.pool(), person).await?.ok_or(ApiError::NotFound)?;
    let bytes = |figure: i64| u64::try_from(figure).unwrap_or(0);
    Ok(Json(Limited::of(bytes(row.limit), bytes(row.used), bytes(row.reserved))))
}

/// Sets somebody's quota. Below what they use it is applied as well, and warned of.
#[utoipa::path(put, path = "/admin/users/{id}/quota", tag = "administration", params(Order),
    security(("access_token" = ["admin"])), request_body = LimitQuota, responses((status = 200, body = Limited)))]
pub async fn limit_quota(order: Order, body: Body<LimitQuota>) -> Result<Done<Json<Limited>>, ApiError> {
    let limit = body.value.limit;
    if i64::try_from(limit).is_err() {
        return Err(out_of_range("limit"));
    }
    let (app, context, key) = order.context(&body.raw);
    let limited = once(&app, key, |idempotency| carry_out(&app, Context { idempotency, ..context }, limit));
    let Executed { value, position } = limited.await?;
    Ok(Done::ok(position, Json(value)))
}

async fn carry_out(
    app: &App,
    context: Context,
    limit: u64,
) -> Result<Executed<Limited>, ExecuteError<ApiError>> {
    let person = context.owner_id.0;
    let limited = app.store.execute(context, move |unit| {
        async move {
            let mut quota = unit.load::<Quota>(person).await?;
            if !quota.is_open() {
                return Err(ApiError::NotFound);
            }
            unit.handle(&mut quota, QuotaCommand::ChangeLimit { limit }).await?;
            let limited = Limited::of(limit, quota.used(), quota.reserved());
            unit.answer(json!(limited));
            Ok(limited)
        }
        .boxed()
    });
    limited.await
}

impl Limited {
    const fn of(limit: u64, used: u64, reserved: u64) -> Self {
        Self { limit, used, reserved, warning: used.saturating_add(reserved) > limit }
    }
}

/// Sizes are kept in 63 bits.
pub(super) fn out_of_range(field: &str) -> ApiError {
    ApiError::field(field, "out_of_range", format!("A limit is 0 to {} bytes.", i64::MAX))
}
