//! Makes an account for somebody, with a password that the server made and that must be changed.

use aggregates::{Name, Role, UserId};
use event_store::{Context, Executed};

use super::TEMPORARY_TIME;
use crate::app::App;
use crate::auth::email::Email;
use crate::auth::password::Password;
use crate::auth::register::{Newcomer, RegisterError, register};
use crate::error::ApiError;

/// Who shall have an account.
pub struct NewUser {
    pub email: Email,
    pub display_name: Option<Name>,
    pub role: Role,
    /// Bytes; `None`: as many as everybody.
    pub quota_limit: Option<u64>,
}

/// A new account, and its temporary password, to be shown once.
pub struct Created {
    pub user_id: UserId,
    pub password: Password,
}

/// Registers `user` as the owner of the context.
pub async fn create_user(
    app: &App,
    context: Context,
    user: NewUser,
) -> Result<Executed<Created>, RegisterError> {
    let password = Password::random().map_err(ApiError::from)?;
    let newcomer = Newcomer {
        email: user.email,
        display_name: user.display_name,
        role: user.role,
        password: app.passwords.hash(password.clone()).await.map_err(ApiError::from)?,
        temporary_until: Some(context.metadata.occurred_at + TEMPORARY_TIME),
        setup_token: None,
        unverified: false,
        quota_limit: user.quota_limit.unwrap_or(app.config.vault.default_quota),
    };
    let Executed { value: user_id, position } = register(app, newcomer, context).await?;
    Ok(Executed { value: Created { user_id, password }, position })
}
