//! The second step of a login: whoever knows the password shows that they have the second factor, too.

use std::sync::Arc;

use axum::response::Response;
use event_store::Context;
use serde::Deserialize;
use utoipa::ToSchema;

use super::sign_in::sign_in;
use crate::app::App;
use crate::auth::credentials::Credentials;
use crate::auth::reauthenticate::by_code;
use crate::auth::second_factor::Accepts;
use crate::auth::secret::Secret;
use crate::error::ApiError;
use crate::http::extract::{Body, Client, IdempotencyKey, once_in_secret};

/// What the password opened, and a code.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SecondStep {
    /// From the login.
    #[schema(value_type = String)]
    mfa_token: Secret,
    #[schema(value_type = String)]
    code: Secret,
}

/// Goes on with a login by a code of this kind. The token is good while nothing has ended the account's sessions since.
pub(super) async fn second_step(
    app: &Arc<App>,
    client: &Client,
    key: IdempotencyKey,
    body: Body<SecondStep>,
    accepts: Accepts,
) -> Result<Response, ApiError> {
    let SecondStep { mfa_token, code } = body.value;
    let claims = app.tokens.verify_mfa(&mfa_token.0, app.clock().now()).ok_or(ApiError::Unauthenticated)?;
    let credentials = Credentials::of_user(app.store.pool(), claims.sub).await?;
    let still_good = |known: &Credentials| known.session_version == claims.sv && known.is_active;
    let credentials = credentials.filter(still_good).ok_or(ApiError::Unauthenticated)?;
    let key = key.of_actor(claims.sub.0, &body.raw, app);
    let signed_in = once_in_secret(app, key, |idempotency| async {
        let context = client.context(claims.sub, app.clock());
        let sending = Context { idempotency, ..context.clone() };
        let signed_in = by_code(app, context, accepts, code, |proof| {
            sign_in(app, sending, client, &credentials, Some(proof))
        });
        Ok(signed_in.await?)
    });
    signed_in.await
}
