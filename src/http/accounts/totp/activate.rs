use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use event_store::Context;
use serde::Deserialize;
use utoipa::ToSchema;

use super::BackupCodes;
use crate::app::App;
use crate::auth::activate_totp::activate_totp;
use crate::auth::secret::Secret;
use crate::error::ApiError;
use crate::http::done::Done;
use crate::http::extract::{Body, IdempotencyKey, NoParams, Session, once_in_secret};

/// That the authenticator app has the seed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Activate {
    #[schema(value_type = String)]
    code: Secret,
}

/// Turns the second factor on: every login asks for it from now on. Every other session ends.
#[utoipa::path(post, path = "/auth/totp/activate", tag = "accounts", params(IdempotencyKey), request_body = Activate,
    security(("access_token" = ["user", "admin", "auditor"])),
    responses((status = 200, body = BackupCodes), (status = 429)))]
pub async fn activate(
    State(app): State<Arc<App>>,
    caller: Session,
    _: NoParams,
    key: IdempotencyKey,
    body: Body<Activate>,
) -> Result<Done<Json<BackupCodes>>, ApiError> {
    let key = key.of(&caller, &body.raw, &app);
    let activated = once_in_secret(&app, key, |idempotency| {
        let context = Context { idempotency, ..caller.context(app.clock()) };
        activate_totp(&app, context, caller.session_id, body.value.code)
    });
    let activated = activated.await?;
    Ok(Done::ok(activated.position, Json(BackupCodes::new(&activated.value))))
}
