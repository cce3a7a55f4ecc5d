use std::sync::Arc;

use axum::extract::State;
use event_store::{Context, ExecuteError};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::auth::change_email;
use crate::auth::link::{self, Purpose};
use crate::auth::secret::Secret;
use crate::error::ApiError;
use crate::http::done::Done;
use crate::http::extract::{Body, Client, IdempotencyKey, NoParams, once};

/// What came by mail.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfirmEmail {
    /// From the link.
    #[schema(value_type = String)]
    token: Secret,
}

/// Gives an account the address that the link went to. Links that went to the old one die. 409: somebody else has the address now.
#[utoipa::path(post, path = "/me/email/confirm", tag = "accounts", params(IdempotencyKey), request_body = ConfirmEmail,
    responses((status = 204)))]
pub async fn confirm_email(
    State(app): State<Arc<App>>,
    client: Client,
    _: NoParams,
    key: IdempotencyKey,
    body: Body<ConfirmEmail>,
) -> Result<Done<()>, ApiError> {
    let token_hash = link::hash(&body.value.token.0);
    let key = key.of_hash(&token_hash, &body.raw, &app);
    let confirmed = once(&app, key, |idempotency| async {
        let owner = link::owner(&app, &token_hash, Purpose::ConfirmEmail).await;
        let context = client.context(owner.map_err(ExecuteError::Refused)?, app.clock());
        change_email::confirm(&app, Context { idempotency, ..context }, token_hash).await
    });
    Ok(Done::no_content(confirmed.await?.position))
}
