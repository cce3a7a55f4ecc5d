use std::sync::Arc;

use aggregates::{Role, UserId};
use axum::Json;
use axum::extract::State;
use event_store::{Context, ExecuteError, Executed};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::applicant::Applicant;
use super::user::{self, Account};
use crate::app::App;
use crate::auth::register::{Newcomer, RegisterError, register};
use crate::auth::secret::Secret;
use crate::auth::setup;
use crate::error::ApiError;
use crate::http::done::{Done, Versioned};
use crate::http::extract::{Body, Client, IdempotencyKey, NoParams, once};

/// Whether the first administrator is still to come.
#[derive(Serialize, ToSchema)]
pub struct Needed {
    needed: bool,
}

/// The first administrator, by whoever holds the setup link.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetUp {
    /// From the setup link.
    #[schema(value_type = String)]
    token: Secret,
    email: String,
    /// 12 to 1,024 bytes
    #[schema(value_type = String)]
    password: Secret,
    display_name: Option<String>,
}

/// Whether the vault waits for its first administrator.
#[utoipa::path(get, path = "/setup", tag = "accounts", responses((status = 200, body = Needed)))]
pub async fn needed(State(app): State<Arc<App>>, _: NoParams) -> Result<Json<Needed>, ApiError> {
    Ok(Json(Needed { needed: setup::is_needed(app.store.pool()).await? }))
}

/// Makes the first administrator. Needs the token of the setup link, and works once.
#[utoipa::path(post, path = "/setup", tag = "accounts", params(IdempotencyKey), request_body = SetUp,
    responses((status = 201, body = Account), (status = 401), (status = 404)))]
pub async fn set_up(
    State(app): State<Arc<App>>,
    client: Client,
    _: NoParams,
    key: IdempotencyKey,
    body: Body<SetUp>,
) -> Result<Done<Versioned<Account>>, ApiError> {
    // There is nobody yet who could be the actor.
    let key = key.of_actor(Uuid::nil(), &body.raw, &app);
    let registered = once(&app, key, |idempotency| async {
        let context = client.context(UserId(app.clock().new_id()), app.clock());
        body.value.carry_out(&app, Context { idempotency, ..context }).await.map_err(ExecuteError::Refused)
    });
    let registered = registered.await?;
    Ok(Done::created(registered.position, user::find(&app, registered.value).await?))
}

impl SetUp {
    async fn carry_out(self, app: &App, context: Context) -> Result<Executed<UserId>, ApiError> {
        let (pool, token_hash) = (app.store.pool(), setup::token_hash(&self.token.0));
        if !setup::is_needed(pool).await? {
            return Err(ApiError::NotFound);
        }
        // Asked before the work of hashing a password is done for just anybody; used up with the registration.
        if !setup::is_good(pool, &token_hash, app.clock().now()).await? {
            // Somebody else may have used it up between the two questions.
            let is_needed = setup::is_needed(pool).await?;
            return Err(if is_needed { ApiError::Unauthenticated } else { ApiError::NotFound });
        }
        Ok(register(app, self.check(app, token_hash).await?, context).await?)
    }

    async fn check(self, app: &App, setup_token: Vec<u8>) -> Result<Newcomer, ApiError> {
        let Self { email, password, display_name, .. } = self;
        let applicant = Applicant::check(app, &email, password, display_name.as_deref()).await?;
        Ok(Newcomer {
            email: applicant.email,
            display_name: applicant.display_name,
            role: Role::Admin,
            password: applicant.password,
            temporary_until: None,
            setup_token: Some(setup_token),
            quota_limit: app.config.vault.default_quota,
            unverified: false,
        })
    }
}

impl From<RegisterError> for ApiError {
    fn from(error: RegisterError) -> Self {
        match error {
            RegisterError::EmailTaken => Self::Conflict(error.to_string()),
            RegisterError::SetUp => Self::NotFound,
            RegisterError::Other(error) => error,
        }
    }
}
