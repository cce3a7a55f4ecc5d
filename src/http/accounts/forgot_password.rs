use std::sync::Arc;

use aggregates::AccessEvent;
use axum::extract::State;
use event_store::{CommandKey, Context, ExecuteError, Executed};
use http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;

use super::beside::beside;
use crate::app::App;
use crate::auth::credentials::Credentials;
use crate::auth::deliver::{Delivery, deliver};
use crate::error::ApiError;
use crate::http::extract::{Body, Client, IdempotencyKey, NoParams, once};
use crate::mail::Kind;

/// Whose password is forgotten.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ForgotPassword {
    email: String,
}

/// Sends a link to the address with which its account gets another password, within half an hour; the one before dies.
/// Answers alike for every address.
#[utoipa::path(post, path = "/auth/password/forgot", tag = "accounts", params(IdempotencyKey),
    request_body = ForgotPassword, responses((status = 202), (status = 429)))]
pub async fn forgot_password(
    State(app): State<Arc<App>>,
    client: Client,
    _: NoParams,
    key: IdempotencyKey,
    body: Body<ForgotPassword>,
) -> Result<StatusCode, ApiError> {
    app.attempts.at_reset(client.ip).await?;
    let email_hash = app.emails.hash(&body.value.email);
    let key = key.of_hash(&email_hash, &body.raw, &app);
    let sending = app.clone();
    beside(&app, "a link to reset a password", async move {
        let sent = once(&sending, key, |key| async {
            carry_out(&sending, &client, key, &email_hash).await.map_err(ExecuteError::Refused)
        });
        sent.await.map(drop)
    })
    .await;
    Ok(StatusCode::ACCEPTED)
}

async fn carry_out(
    app: &App,
    client: &Client,
    idempotency: Option<CommandKey>,
    email_hash: &[u8],
) -> Result<Executed<()>, ApiError> {
    let nothing = Executed { value: (), position: None };
    let Some(known) = Credentials::of_email(app.store.pool(), email_hash).await? else { return Ok(nothing) };
    if !app.attempts.at_mail(Kind::ResetPassword, email_hash).await? {
        return Ok(nothing);
    }
    let context = Context { idempotency, ..client.context(known.user_id, app.clock()) };
    let delivery = Delivery { user_id: known.user_id, mails: &[Kind::ResetPassword], password: None };
    Ok(deliver(app, context, AccessEvent::PasswordResetRequested {}, delivery).await?)
}
