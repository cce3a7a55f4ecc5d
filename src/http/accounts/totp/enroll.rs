use std::sync::Arc;

use aggregates::UserError;
use axum::Json;
use axum::extract::State;
use event_store::Context;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::App;
use crate::auth::enroll_totp::enroll_totp;
use crate::auth::reauthenticate::by_password;
use crate::auth::secret::Secret;
use crate::error::ApiError;
use crate::http::done::Done;
use crate::http::extract::{Body, IdempotencyKey, NoParams, Session, once_in_secret};

/// The password again.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Enroll {
    #[schema(value_type = String)]
    password: Secret,
}

/// A seed for an authenticator app, shown this once.
#[derive(Serialize, ToSchema)]
pub struct Enrolled {
    /// In base32, to type it
    secret: String,
    otpauth_url: String,
    /// The URL as a picture
    qr_svg: String,
}

/// Begins with a second factor. It counts once a code of it has come back; until then this may be asked again.
#[utoipa::path(post, path = "/auth/totp/enroll", tag = "accounts", params(IdempotencyKey), request_body = Enroll,
    security(("access_token" = ["user", "admin", "auditor"])),
    responses((status = 200, body = Enrolled), (status = 429)))]
pub async fn enroll(
    State(app): State<Arc<App>>,
    caller: Session,
    _: NoParams,
    key: IdempotencyKey,
    body: Body<Enroll>,
) -> Result<Done<Json<Enrolled>>, ApiError> {
    let key = key.of(&caller, &body.raw, &app);
    let enrolled = once_in_secret(&app, key, |idempotency| async {
        let context = caller.context(app.clock());
        let credentials = by_password(&app, context.clone(), caller.client.ip, body.value.password).await?;
        if credentials.has_second_factor {
            return Err(UserError::TotpAlreadyEnabled.into());
        }
        enroll_totp(&app, Context { idempotency, ..context }).await
    });
    let enrolled = enrolled.await?;
    let seed = Enrolled {
        secret: enrolled.value.secret.to_string(),
        otpauth_url: enrolled.value.otpauth_url.to_string(),
        qr_svg: enrolled.value.qr_svg.to_string(),
    };
    Ok(Done::ok(enrolled.position, Json(seed)))
}
