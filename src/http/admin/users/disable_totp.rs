use event_store::Context;

use super::order::Order;
use crate::error::ApiError;
use crate::http::done::Done;
use crate::http::extract::{Body, Empty, once};
use crate::people;

/// Takes a second factor away that somebody has lost; their sessions end.
#[utoipa::path(post, path = "/admin/users/{id}/disable-totp", tag = "administration", params(Order),
    security(("access_token" = ["admin"])), responses((status = 204), (status = 409)))]
pub async fn disable_totp(order: Order, body: Body<Empty>) -> Result<Done<()>, ApiError> {
    let (app, context, key) = order.context(&body.raw);
    let done = once(&app, key, |idempotency| {
        people::disable_totp::disable_totp(&app, Context { idempotency, ..context })
    });
    Ok(Done::no_content(done.await?.position))
}
