use std::sync::Arc;

use axum::extract::State;
use event_store::{Context, ExecuteError};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::auth::link::{self, Purpose};
use crate::auth::secret::Secret;
use crate::auth::verify;
use crate::error::ApiError;
use crate::http::done::Done;
use crate::http::extract::{Body, Client, IdempotencyKey, NoParams, once};

/// What came by mail.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VerifyEmail {
    /// From the link.
    #[schema(value_type = String)]
    token: Secret,
}

/// Shows that the address of an account is the person's own: they can sign in now.
#[utoipa::path(post, path = "/auth/verify-email", tag = "accounts", params(IdempotencyKey), request_body = VerifyEmail,
    responses((status = 204)))]
pub async fn verify_email(
    State(app): State<Arc<App>>,
    client: Client,
    _: NoParams,
    key: IdempotencyKey,
    body: Body<VerifyEmail>,
) -> Result<Done<()>, ApiError> {
    let token_hash = link::hash(&body.value.token.0);
    let key = key.of_hash(&token_hash, &body.raw, &app);
    let verified = once(&app, key, |idempotency| async {
        let owner = link::owner(&app, &token_hash, Purpose::VerifyEmail).await;
        let context = client.context(owner.map_err(ExecuteError::Refused)?, app.clock());
        verify::verify(&app, Context { idempotency, ..context }, token_hash).await
    });
    Ok(Done::no_content(verified.await?.position))
}
