use std::sync::Arc;

use axum::extract::State;
use event_store::Context;

use crate::app::App;
use crate::auth::session;
use crate::error::ApiError;
use crate::http::done::Done;
use crate::http::extract::{Body, Empty, IdempotencyKey, NoParams, Session, once};

/// Ends every session of the caller's but this one, at once.
#[utoipa::path(delete, path = "/sessions", tag = "accounts", params(IdempotencyKey),
    security(("access_token" = ["user", "admin", "auditor"])),
    responses((status = 204)))]
pub async fn end_others(
    State(app): State<Arc<App>>,
    caller: Session,
    _: NoParams,
    key: IdempotencyKey,
    body: Body<Empty>,
) -> Result<Done<()>, ApiError> {
    let key = key.of(&caller, &body.raw, &app);
    let ended = once(&app, key, |idempotency| {
        let context = Context { idempotency, ..caller.context(app.clock()) };
        session::end_others(&app, context, caller.session_id)
    });
    Ok(Done::no_content(ended.await?.position))
}
