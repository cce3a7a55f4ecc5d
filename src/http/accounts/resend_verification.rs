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

/// Whose verification it is about.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResendVerification {
    email: String,
}

/// Sends another link to an address that waits to be verified. Answers alike for every address.
#[utoipa::path(post, path = "/auth/verify-email/resend", tag = "accounts", params(IdempotencyKey),
    request_body = ResendVerification, responses((status = 202), (status = 429)))]
pub async fn resend_verification(
    State(app): State<Arc<App>>,
    client: Client,
    _: NoParams,
    key: IdempotencyKey,
    body: Body<ResendVerification>,
) -> Result<StatusCode, ApiError> {
    app.attempts.at_registration(client.ip).await?;
    let email_hash = app.emails.hash(&body.value.email);
    let key = key.of_hash(&email_hash, &body.raw, &app);
    let resending = app.clone();
    beside(&app, "another verification link", async move {
        let resent = once(&resending, key, |key| async {
            carry_out(&resending, &client, key, &email_hash).await.map_err(ExecuteError::Refused)
        });
        resent.await.map(drop)
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
    let known = Credentials::of_email(app.store.pool(), email_hash).await?;
    let Some(known) = known.filter(|known| known.unverified) else { return Ok(nothing) };
    if !app.attempts.at_mail(Kind::VerifyEmail, email_hash).await? {
        return Ok(nothing);
    }
    let context = Context { idempotency, ..client.context(known.user_id, app.clock()) };
    let delivery = Delivery { user_id: known.user_id, mails: &[Kind::VerifyEmail], password: None };
    Ok(deliver(app, context, AccessEvent::VerificationRequested {}, delivery).await?)
}
