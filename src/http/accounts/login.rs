use std::future::ready;
use std::sync::Arc;

use aggregates::{AccessEvent, UserId};
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use event_store::{Context, EventStore};
use futures::FutureExt;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::signed_in::{SignedIn, signed_in};
use crate::app::App;
use crate::auth::credentials::Credentials;
use crate::auth::refresh::LiveSession;
use crate::auth::refresh_token::RefreshToken;
use crate::auth::rehash::rehash;
use crate::auth::secret::Secret;
use crate::auth::session;
use crate::error::ApiError;
use crate::http::done::Done;
use crate::http::extract::{Body, Client, IdempotencyKey, NoParams, once_in_secret};

/// Who signs in.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Login {
    email: String,
    #[schema(value_type = String)]
    password: Secret,
}

/// The password is a temporary one: it opens nothing but its own change, within ten minutes.
#[derive(Serialize, ToSchema)]
pub struct ChangeRequired {
    password_change_required: bool,
    change_token: String,
}

/// Starts a session. An unknown address is answered as a wrong password is, and as late.
#[utoipa::path(post, path = "/auth/login", tag = "accounts", params(IdempotencyKey), request_body = Login,
    responses((status = 200, body = SignedIn, headers(("Set-Cookie" = String, description = "The refresh token"))), (status = 401), (status = 429)))]
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
        record_failure(app.store.clone(), context, credentials.user_id);
        return Err(ApiError::Unauthenticated);
    }
    attempt.succeeded().await?;
    rehash(&app, &credentials, password);
    if credentials.temporary_until.is_some() {
        return change_required(&app, &credentials);
    }
    let key = key.of_actor(credentials.user_id.0, &body.raw, &app);
    let started = once_in_secret(&app, key, |idempotency| {
        session::start(&app, Context { idempotency, ..context }, &credentials, client.user_agent)
    });
    let started = started.await?;
    let (session_id, generation) = (started.value, 0);
    let session = LiveSession {
        session_id,
        user_id: credentials.user_id,
        role: credentials.role,
        version: credentials.session_version,
    };
    let answer = signed_in(&app, session, RefreshToken { session_id, generation }).await?;
    Ok(Done::ok(started.position, answer).into_response())
}

fn change_required(app: &App, credentials: &Credentials) -> Result<Response, ApiError> {
    let token = app.tokens.password_change(credentials.user_id, credentials.session_version, app.clock());
    let change_token = token.map_err(anyhow::Error::from)?;
    Ok(Json(ChangeRequired { password_change_required: true, change_token }).into_response())
}

/// Beside the answer, which would otherwise come later for addresses that have an account (attack A02).
fn record_failure(store: EventStore, context: Context, user: UserId) {
    tokio::spawn(async move {
        let failed = [AccessEvent::LoginFailed {}];
        let recorded =
            store.execute(context, move |unit| ready(session::record(unit, user, &failed)).boxed());
        if let Err(error) = recorded.await {
            tracing::warn!(%error, "a failed login was not recorded");
        }
    });
}
