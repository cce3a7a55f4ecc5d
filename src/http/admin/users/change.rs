use aggregates::Role;
use event_store::Context;
use serde::Deserialize;
use utoipa::ToSchema;

use super::order::Order;
use super::person::{self, Person};
use crate::error::ApiError;
use crate::http::done::{Done, Versioned};
use crate::http::extract::{Body, IfMatch, once, present};
use crate::http::layers::read_your_writes;
use crate::people::change_standing::{Standing, change_standing};

/// What may change.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeUser {
    /// `user`, `admin` or `auditor`
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = String, required = false)]
    role: Option<Role>,
    /// Whoever is not cannot sign in.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = bool, required = false)]
    active: Option<bool>,
}

/// Changes somebody's role, deactivates or reactivates them; whatever they had opened ends. The last active administrator
/// stays one.
#[utoipa::path(patch, path = "/admin/users/{id}", tag = "administration", params(Order, IfMatch),
    security(("access_token" = ["admin"])), request_body = ChangeUser,
    responses((status = 200, body = Person), (status = 409)))]
pub async fn change(
    order: Order,
    if_match: IfMatch,
    body: Body<ChangeUser>,
) -> Result<Done<Versioned<Person>>, ApiError> {
    let person = order.person;
    if_match.check(person::find(&order.app, person).await?.0)?;
    let standing = Standing { role: body.value.role, is_active: body.value.active };
    let (app, context, key) = order.context(&body.raw);
    let changed =
        once(&app, key, |idempotency| change_standing(&app, Context { idempotency, ..context }, standing));
    let position = changed.await?.position;
    if let Some(position) = position {
        read_your_writes(&app, position).await;
    }
    Ok(Done::ok(position, person::find(&app, person).await?))
}
