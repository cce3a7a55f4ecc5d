use event_store::Context;

use super::order::Order;
use crate::error::ApiError;
use crate::http::done::Done;
use crate::http::extract::{Body, Empty, once};
use crate::people;

/// Ends every session of somebody.
#[utoipa::path(post, path = "/admin/users/{id}/end-sessions", tag = "administration", params(Order),
    security(("access_token" = ["admin"])), responses((status = 204)))]
pub async fn end_sessions(order: Order, body: Body<Empty>) -> Result<Done<()>, ApiError> {
    let (app, context, key) = order.context(&body.raw);
    let done = once(&app, key, |idempotency| {
        people::end_sessions::end_sessions(&app, Context { idempotency, ..context })
    });
    Ok(Done::no_content(done.await?.position))
}
