use std::sync::Arc;

use aggregates::UserError;
use axum::extract::State;
use event_store::{CommandKey, Context, ExecuteError, Executed};

use super::BothFactors;
use crate::app::App;
use crate::auth::disable_totp::disable_totp;
use crate::auth::reauthenticate::{by_code, by_password};
use crate::auth::second_factor::Accepts;
use crate::error::ApiError;
use crate::http::done::Done;
use crate::http::extract::{Body, IdempotencyKey, NoParams, Session, once};

/// Turns the second factor off, backup codes and all. Every other session ends.
#[utoipa::path(post, path = "/auth/totp/disable", tag = "accounts", params(IdempotencyKey), request_body = BothFactors,
    security(("access_token" = ["user", "admin", "auditor"])),
    responses((status = 204), (status = 429)))]
pub async fn disable(
    State(app): State<Arc<App>>,
    caller: Session,
    _: NoParams,
    key: IdempotencyKey,
    body: Body<BothFactors>,
) -> Result<Done<()>, ApiError> {
    let key = key.of(&caller, &body.raw, &app);
    let disabled = once(&app, key, |idempotency| carry_out(&app, &caller, idempotency, body.value));
    Ok(Done::no_content(disabled.await?.position))
}

async fn carry_out(
    app: &App,
    caller: &Session,
    idempotency: Option<CommandKey>,
    both: BothFactors,
) -> Result<Executed<()>, ExecuteError<ApiError>> {
    let context = caller.context(app.clock());
    let credentials = by_password(app, context.clone(), caller.client.ip, both.password).await;
    if !credentials.map_err(ExecuteError::Refused)?.has_second_factor {
        return Err(ExecuteError::Refused(UserError::TotpNotEnabled.into()));
    }
    let sending = Context { idempotency, ..context.clone() };
    let disabled = by_code(app, context, Accepts::Either, both.code, |proof| {
        disable_totp(app, sending, caller.session_id, proof)
    });
    disabled.await
}
