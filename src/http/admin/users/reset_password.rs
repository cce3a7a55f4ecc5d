use axum::Json;
use event_store::Context;
use serde::Serialize;
use utoipa::ToSchema;

use super::order::Order;
use crate::error::ApiError;
use crate::http::done::Done;
use crate::http::extract::{Body, Empty, once_in_secret};
use crate::people::issue_password::issue_password;

/// Shown this once, good for 24 hours, and to be changed before anything else works.
#[derive(Serialize, ToSchema)]
pub struct TemporaryPassword {
    temporary_password: String,
}

/// Gives somebody a temporary password; whatever they had opened ends. A second factor stays.
#[utoipa::path(post, path = "/admin/users/{id}/reset-password", tag = "administration", params(Order),
    security(("access_token" = ["admin"])), responses((status = 200, body = TemporaryPassword)))]
pub async fn reset_password(
    order: Order,
    body: Body<Empty>,
) -> Result<Done<Json<TemporaryPassword>>, ApiError> {
    let (app, context, key) = order.context(&body.raw);
    let issued =
        once_in_secret(&app, key, |idempotency| issue_password(&app, Context { idempotency, ..context }));
    let issued = issued.await?;
    let temporary_password = issued.value.expose().to_owned();
    Ok(Done::ok(issued.position, Json(TemporaryPassword { temporary_password })))
}
