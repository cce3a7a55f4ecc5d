use std::sync::Arc;

use axum::extract::State;
use event_store::{CommandKey, Context, ExecuteError, Executed};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::auth::link::{self, Purpose};
use crate::auth::password::Password;
use crate::auth::secret::Secret;
use crate::auth::{password_policy, reset};
use crate::error::ApiError;
use crate::http::done::Done;
use crate::http::extract::{Body, Client, IdempotencyKey, NoParams, once};

/// What came by mail, and the password from now on.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResetPassword {
    /// From the link.
    #[schema(value_type = String)]
    token: Secret,
    /// 12 to 1,024 bytes
    #[schema(value_type = String)]
    new_password: Secret,
}

/// Gives the account of the link another password. Every session and every API token ends; the second factor stays.
#[utoipa::path(post, path = "/auth/password/reset", tag = "accounts", params(IdempotencyKey), request_body = ResetPassword,
    responses((status = 204)))]
pub async fn reset_password(
    State(app): State<Arc<App>>,
    client: Client,
    _: NoParams,
    key: IdempotencyKey,
    body: Body<ResetPassword>,
) -> Result<Done<()>, ApiError> {
    let token_hash = link::hash(&body.value.token.0);
    let key = key.of_hash(&token_hash, &body.raw, &app);
    let reset = once(&app, key, |idempotency| {
        carry_out(&app, &client, idempotency, token_hash, body.value.new_password)
    });
    Ok(Done::no_content(reset.await?.position))
}

/// A password that is refused leaves the link good; a link that is not, costs no hash.
async fn carry_out(
    app: &App,
    client: &Client,
    idempotency: Option<CommandKey>,
    token_hash: Vec<u8>,
    new: Secret,
) -> Result<Executed<()>, ExecuteError<ApiError>> {
    let permitted = async {
        let owner = link::owner(app, &token_hash, Purpose::ResetPassword).await?;
        let password = Password::parse(new.0).map_err(|error| error.of_field("new_password"))?;
        let own = password_policy::own_words(&app.store, owner).await?;
        app.policy.check("new_password", &password, &own).await?;
        Ok((owner, app.passwords.hash(password).await?))
    };
    let (owner, new) = permitted.await.map_err(ExecuteError::Refused)?;
    let context = Context { idempotency, ..client.context(owner, app.clock()) };
    reset::reset(app, context, token_hash, new).await
}
