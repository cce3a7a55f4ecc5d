use std::sync::Arc;

use aggregates::SessionId;
use aggregates::access::RevocationReason;
use axum::extract::State;
use event_store::Context;

use crate::app::App;
use crate::auth::session;
use crate::error::ApiError;
use crate::http::done::Done;
use crate::http::extract::{Body, Empty, Id, IdempotencyKey, NoParams, Session, once};

/// Ends a session of the caller's, at once.
#[utoipa::path(delete, path = "/sessions/{id}", tag = "accounts", params(Id<SessionId>, IdempotencyKey),
    security(("access_token" = ["user", "admin", "auditor"])),
    responses((status = 204)))]
pub async fn end(
    State(app): State<Arc<App>>,
    caller: Session,
    Id(id): Id<SessionId>,
    _: NoParams,
    key: IdempotencyKey,
    body: Body<Empty>,
) -> Result<Done<()>, ApiError> {
    let key = key.of(&caller, &body.raw, &app);
    let ended = once(&app, key, |idempotency| {
        let context = Context { idempotency, ..caller.context(app.clock()) };
        session::revoke(&app, context, id, RevocationReason::Revoked)
    });
    Ok(Done::no_content(ended.await?.position))
}
