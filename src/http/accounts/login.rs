use std::sync::Arc;

use aggregates::AccessEvent;
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use event_store::Context;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::sign_in::{NewPasswordNeeded, sign_in};
use super::signed_in::SignedIn;
use crate::app::App;
use crate::auth::credentials::Credentials;
use crate::auth::record_failure;
use crate::auth::rehash::rehash;
use crate::auth::secret::Secret;
use crate::error::ApiError;
use crate::http::extract::{Body, Client, IdempotencyKey, NoParams, once_in_secret};

/// Who signs in.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Login {
    email: String,
    #[schema(value_type = String)]
    password: Secret,
}

/// What a login answers: one of three.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub enum LoginAnswer {
    SignedIn(SignedIn),
    MfaRequired(MfaRequired),
    NewPasswordNeeded(NewPasswordNeeded),
}

/// The account has a second factor: show it within five minutes.
#[derive(Serialize, ToSchema)]
pub struct MfaRequired {
    mfa_required: bool,
    mfa_token: String,
}

/// Starts a session, or says what comes first: a code of the second factor, and then another password than a temporary one. An
/// unknown address is answered as a wrong password is, and as late.
#[utoipa::path(post, path = "/auth/login", tag = "accounts", params(IdempotencyKey), request_body = Login,
    responses((status = 200, body = LoginAnswer, headers(("Set-Cookie" = String, description = "The refresh token"))), (status = 401), (status = 403), (status = 429)))]
pub async fn login(
    State(app): State<Arc<App>>,
    client: Client,
    _: NoParams,
    key: IdempotencyKey,
    body: Body<Login>,
) -> Result<Response, ApiError> {
    let Login { email, password } = body.value;
    let email_hash = app.emails.hash(&email);
    let attempt = app.attempts.at_password(&email_hash, client.ip).await?;
    let known = Credentials::of_email(app.store.pool(), &email_hash).await?;
    let stored = known.as_ref().map(|known| &known.password);
    let fits = match app.passwords.verify(password.0.clone(), stored).await {
        Ok(fits) => fits,
        Err(error) => {
            attempt.withdraw().await?;
            return Err(error.into());
        }
    };
    let Some(credentials) = known else {
        attempt.failed().await?;
        return Err(ApiError::Unauthenticated);
    };
    let context = client.context(credentials.user_id, app.clock());
    let is_over = credentials.temporary_until.is_some_and(|until| until <= app.clock().now());
    if !fits || is_over || !credentials.is_active {
        attempt.failed().await?;
        record_failure(&app, context, AccessEvent::LoginFailed {});
        return Err(ApiError::Unauthenticated);
    }
    attempt.succeeded().await?;
    rehash(&app, &credentials, password);
    if credentials.unverified {
        return Err(ApiError::EmailNotVerified);
    }
    if credentials.has_second_factor {
        return mfa_required(&app, &credentials);
    }
    let key = key.of_actor(credentials.user_id.0, &body.raw, &app);
    let signed_in = once_in_secret(&app, key, |idempotency| async {
        let context = Context { idempotency, ..context };
        Ok(sign_in(&app, context, &client, &credentials, None).await?)
    });
    signed_in.await
}

/// The password opens the second step of the login, and nothing else.
fn mfa_required(app: &App, credentials: &Credentials) -> Result<Response, ApiError> {
    let token = app.tokens.mfa(credentials.user_id, credentials.session_version, app.clock());
    let mfa_token = token.map_err(anyhow::Error::from)?;
    Ok(Json(MfaRequired { mfa_required: true, mfa_token }).into_response())
}
