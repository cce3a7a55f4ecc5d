use std::sync::Arc;

use aggregates::UserError;
use axum::Json;
use axum::extract::State;
use event_store::{CommandKey, Context, ExecuteError, Executed};
use zeroize::Zeroizing;

use super::{BackupCodes, BothFactors};
use crate::app::App;
use crate::auth::reauthenticate::{by_code, by_password};
use crate::auth::replace_backup_codes;
use crate::auth::second_factor::Accepts;
use crate::error::ApiError;
use crate::http::done::Done;
use crate::http::extract::{Body, IdempotencyKey, NoParams, Session, once_in_secret};

/// Makes ten new backup codes; the old ones are good for nothing any more. Every other session ends.
#[utoipa::path(post, path = "/auth/backup-codes", tag = "accounts", params(IdempotencyKey), request_body = BothFactors,
    security(("access_token" = ["user", "admin", "auditor"])),
    responses((status = 200, body = BackupCodes), (status = 429)))]
pub async fn replace_backup_codes(
    State(app): State<Arc<App>>,
    caller: Session,
    _: NoParams,
    key: IdempotencyKey,
    body: Body<BothFactors>,
) -> Result<Done<Json<BackupCodes>>, ApiError> {
    let key = key.of(&caller, &body.raw, &app);
    let replaced = once_in_secret(&app, key, |idempotency| async {
        Ok(carry_out(&app, &caller, idempotency, body.value).await?)
    });
    let replaced = replaced.await?;
    Ok(Done::ok(replaced.position, Json(BackupCodes::new(&replaced.value))))
}

async fn carry_out(
    app: &App,
    caller: &Session,
    idempotency: Option<CommandKey>,
    both: BothFactors,
) -> Result<Executed<Vec<Zeroizing<String>>>, ExecuteError<ApiError>> {
    let context = caller.context(app.clock());
    let credentials = by_password(app, context.clone(), caller.client.ip, both.password).await;
    if !credentials.map_err(ExecuteError::Refused)?.has_second_factor {
        return Err(ExecuteError::Refused(UserError::TotpNotEnabled.into()));
    }
    let sending = Context { idempotency, ..context.clone() };
    let replaced = by_code(app, context, Accepts::Either, both.code, |proof| {
        replace_backup_codes::replace_backup_codes(app, sending, caller.session_id, proof)
    });
    replaced.await
}
