use std::sync::Arc;

use aggregates::SessionId;
use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::auth::change_password::{self, Change};
use crate::auth::credentials::Credentials;
use crate::auth::password::Password;
use crate::auth::secret::Secret;
use crate::error::ApiError;
use crate::http::done::Done;
use crate::http::extract::{Body, Caller, Client, NoParams};

/// The new password, and one of the two that permit it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangePassword {
    /// With an access token.
    #[schema(value_type = Option<String>)]
    current_password: Option<Secret>,
    /// Without one: from a login with a temporary password.
    #[schema(value_type = Option<String>)]
    change_token: Option<Secret>,
    /// 12 to 1,024 bytes
    #[schema(value_type = String)]
    new_password: Secret,
}

/// Changes the password. Every other session ends.
#[utoipa::path(post, path = "/auth/password/change", tag = "accounts", request_body = ChangePassword,
    responses((status = 204), (status = 401)))]
pub async fn change_password(
    State(app): State<Arc<App>>,
    client: Client,
    caller: Result<Caller, ApiError>,
    _: NoParams,
    body: Body<ChangePassword>,
) -> Result<Done<()>, ApiError> {
    let ChangePassword { current_password, change_token, new_password } = body.value;
    let (credentials, kept) = match (change_token, current_password) {
        (Some(token), None) => (by_token(&app, &token).await?, None),
        (None, current) => {
            let caller = caller?;
            let current = current.ok_or_else(|| missing("current_password"))?;
            (by_password(&app, &caller, current).await?, Some(caller.session_id))
        }
        (Some(_), Some(_)) => return Err(one_too_many()),
    };
    let change = permit(&app, credentials, kept, new_password).await?;
    let context = client.context(change.user_id, app.clock());
    Ok(Done::no_content(change_password::change_password(&app, context, change).await?))
}

/// A change token is good for one change: the change moves the session version on.
async fn by_token(app: &App, token: &Secret) -> Result<Credentials, ApiError> {
    let claims = app.tokens.verify_password_change(&token.0, app.clock().now());
    let claims = claims.ok_or(ApiError::Unauthenticated)?;
    let credentials = Credentials::of_user(app.store.pool(), claims.sub).await?;
    credentials.filter(|known| known.session_version == claims.sv).ok_or(ApiError::Unauthenticated)
}

async fn by_password(app: &App, caller: &Caller, current: Secret) -> Result<Credentials, ApiError> {
    let credentials = Credentials::of_user(app.store.pool(), caller.user_id).await?;
    let credentials = credentials.ok_or(ApiError::Unauthenticated)?;
    let fits = app.passwords.verify(current.0, Some(&credentials.password)).await?;
    if fits { Ok(credentials) } else { Err(ApiError::Unauthenticated) }
}

/// Checks the new password, which has to be another one.
async fn permit(
    app: &App,
    credentials: Credentials,
    kept: Option<SessionId>,
    new: Secret,
) -> Result<Change, ApiError> {
    let password = Password::parse(new.0.clone()).map_err(|error| error.of_field("new_password"))?;
    if app.passwords.verify(new.0, Some(&credentials.password)).await? {
        return Err(ApiError::field(
            "new_password",
            "invalid",
            "This is the password that is to be changed.",
        ));
    }
    Ok(Change {
        user_id: credentials.user_id,
        session_version: credentials.session_version,
        new: app.passwords.hash(password).await?,
        kept,
    })
}

fn missing(field: &str) -> ApiError {
    ApiError::field(field, "missing", format!("missing field `{field}`"))
}

fn one_too_many() -> ApiError {
    ApiError::field("change_token", "invalid", "Send either current_password or change_token.")
}
