use std::sync::Arc;

use aggregates::{SessionId, UserId};
use axum::extract::State;
use event_store::{Context, ExecuteError};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::auth::change_password::{self, Change};
use crate::auth::credentials::Credentials;
use crate::auth::password::Password;
use crate::auth::password_policy;
use crate::auth::reauthenticate::by_password;
use crate::auth::secret::Secret;
use crate::auth::token::Claims;
use crate::error::ApiError;
use crate::http::done::Done;
use crate::http::extract::{Body, Client, IdempotencyKey, NoParams, Session, once};

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
#[utoipa::path(post, path = "/auth/password/change", tag = "accounts", params(IdempotencyKey), request_body = ChangePassword,
    responses((status = 204), (status = 401), (status = 429)))]
pub async fn change_password(
    State(app): State<Arc<App>>,
    client: Client,
    caller: Result<Session, ApiError>,
    _: NoParams,
    key: IdempotencyKey,
    body: Body<ChangePassword>,
) -> Result<Done<()>, ApiError> {
    let ChangePassword { current_password, change_token, new_password } = body.value;
    let permission = match (change_token, current_password) {
        (Some(token), None) => {
            let claims = app.tokens.verify_password_change(&token.0, app.clock().now());
            Permission::Token(claims.ok_or(ApiError::Unauthenticated)?)
        }
        (None, current) => Permission::Password(caller?, current.ok_or_else(|| missing("current_password"))?),
        (Some(_), Some(_)) => return Err(one_too_many()),
    };
    let user_id = permission.user_id();
    let key = key.of_actor(user_id.0, &body.raw, &app);
    let changed = once(&app, key, |idempotency| async {
        let context = Context { idempotency, ..client.context(user_id, app.clock()) };
        let change = permission.grant(&app, &client, new_password).await.map_err(ExecuteError::Refused)?;
        change_password::change_password(&app, context, change).await
    });
    Ok(Done::no_content(changed.await?.position))
}

/// By what somebody claims that they may change the password.
enum Permission {
    Token(Claims<()>),
    Password(Session, Secret),
}

impl Permission {
    fn user_id(&self) -> UserId {
        match self {
            Self::Token(claims) => claims.sub,
            Self::Password(caller, _) => caller.user_id,
        }
    }

    async fn grant(self, app: &App, client: &Client, new: Secret) -> Result<Change, ApiError> {
        let (credentials, kept) = match self {
            Self::Token(claims) => (by_token(app, &claims).await?, None),
            Self::Password(caller, current) => {
                let context = caller.context(app.clock());
                (by_password(app, context, client.ip, current).await?, Some(caller.session_id))
            }
        };
        permit(app, credentials, kept, new).await
    }
}

/// A change token is good for one change: the change moves the session version on.
async fn by_token(app: &App, claims: &Claims<()>) -> Result<Credentials, ApiError> {
    let credentials = Credentials::of_user(app.store.pool(), claims.sub).await?;
    credentials.filter(|known| known.session_version == claims.sv).ok_or(ApiError::Unauthenticated)
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
    let own = password_policy::own_words(&app.store, credentials.user_id).await?;
    app.policy.check("new_password", &password, &own).await?;
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
