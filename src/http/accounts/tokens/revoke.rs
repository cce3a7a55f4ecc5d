use std::sync::Arc;

use aggregates::ApiTokenId;
use axum::extract::State;
use event_store::Context;

use crate::app::App;
use crate::auth::api_token;
use crate::error::ApiError;
use crate::http::done::Done;
use crate::http::extract::{Body, Empty, Id, IdempotencyKey, NoParams, Session, once};

/// Ends an API token of the caller's, at once.
#[utoipa::path(delete, path = "/me/tokens/{id}", tag = "accounts", params(Id<ApiTokenId>, IdempotencyKey),
    security(("access_token" = ["user", "admin", "auditor"])),
    responses((status = 204)))]
pub async fn revoke(
    State(app): State<Arc<App>>,
    caller: Session,
    Id(id): Id<ApiTokenId>,
    _: NoParams,
    key: IdempotencyKey,
    body: Body<Empty>,
) -> Result<Done<()>, ApiError> {
    let key = key.of(&caller, &body.raw, &app);
    let revoked = once(&app, key, |idempotency| {
        api_token::revoke(&app, Context { idempotency, ..caller.context(app.clock()) }, id)
    });
    Ok(Done::no_content(revoked.await?.position))
}
