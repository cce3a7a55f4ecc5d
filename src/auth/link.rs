//! Links that go out by mail. A token is computed from the id of the event that its mail tells of, so the mail can be written
//! when it is sent, and again, while nothing that opens anything is at rest: the database holds a hash. A link is used
//! up by the statement that carries out what it permits, so of two that come at once one succeeds, on any instance (attack A17).

use aggregates::{User, UserId};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use chrono::{DateTime, TimeDelta, Utc};
use event_store::{ExecuteError, UnitError};
use sha2::{Digest, Sha256};
use sqlx::PgPool;
use url::Url;
use uuid::Uuid;

use super::{Key, keyed_hash};
use crate::app::App;
use crate::error::ApiError;

/// What a link permits. A person has one of each at most, the newest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Shows that the account's address is the person's own.
    VerifyEmail,
    /// Gives the account another password.
    ResetPassword,
    /// Gives the account the address that the link went to.
    ConfirmEmail,
}

impl Purpose {
    /// Its name in the database. Never changes.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::VerifyEmail => "verify_email",
            Self::ResetPassword => "reset_password",
            Self::ConfirmEmail => "confirm_email",
        }
    }

    /// How long a link is good.
    pub const fn time(self) -> TimeDelta {
        match self {
            Self::ResetPassword => TimeDelta::minutes(30),
            Self::VerifyEmail | Self::ConfirmEmail => TimeDelta::hours(24),
        }
    }

    /// The form behind the link.
    const fn path(self) -> &'static str {
        match self {
            Self::VerifyEmail => "verify-email",
            Self::ResetPassword => "reset-password",
            Self::ConfirmEmail => "confirm-email",
        }
    }
}

/// Makes tokens and the links that carry them.
#[derive(Clone)]
pub struct Links {
    key: Key,
    /// The configured one, whatever a request says about its host (attack A18).
    origin: String,
}

impl Links {
    pub fn new(key: Key, public_url: &Url) -> Self {
        Self { key, origin: public_url.origin().ascii_serialization() }
    }

    /// 256 bits that nobody guesses who has not the key.
    pub fn token(&self, event_id: Uuid) -> String {
        BASE64.encode(keyed_hash(&self.key, &[event_id.as_bytes()]))
    }

    /// The link of the mail about this event. Its token is in the fragment, which browsers keep to themselves.
    pub fn url(&self, purpose: Purpose, event_id: Uuid) -> String {
        format!("{}/{}#token={}", self.origin, purpose.path(), self.token(event_id))
    }
}

/// What is kept of a token.
pub fn hash(token: &str) -> Vec<u8> {
    Sha256::digest(token.as_bytes()).to_vec()
}

/// Whose link this is, if it is good now. Uses nothing up: the statement that does looks again.
pub async fn owner(app: &App, token_hash: &[u8], purpose: Purpose) -> Result<UserId, ApiError> {
    let owner = sqlx::query_scalar!(
        "SELECT l.user_id FROM link_tokens l JOIN credentials c USING (user_id, session_version)
         WHERE l.token_hash = $1 AND l.purpose = $2 AND l.expires_at > $3 AND c.is_active",
        token_hash,
        purpose.as_str(),
        app.clock().now()
    );
    owner.fetch_optional(app.store.pool()).await?.map(UserId).ok_or(ApiError::InvalidToken)
}

/// Forgets the links that have expired.
pub async fn sweep(pool: &PgPool, now: DateTime<Utc>) -> Result<u64, sqlx::Error> {
    let swept = sqlx::query!("DELETE FROM link_tokens WHERE expires_at <= $1", now);
    Ok(swept.execute(pool).await?.rows_affected())
}

/// Whether the link of the mail about this event is still good. If not, nobody needs the mail.
pub async fn is_good(app: &App, purpose: Purpose, event_id: Uuid) -> Result<bool, ApiError> {
    match owner(app, &hash(&app.links.token(event_id)), purpose).await {
        Ok(_) => Ok(true),
        Err(ApiError::InvalidToken) => Ok(false),
        Err(error) => Err(error),
    }
}

/// A link whose statement found nothing to use up: another request was first, or a newer link.
pub(super) fn used_up(error: ExecuteError<ApiError>) -> ExecuteError<ApiError> {
    match error {
        ExecuteError::Precondition => ExecuteError::Refused(ApiError::InvalidToken),
        error => error,
    }
}

/// What a link permitted is not possible any more.
pub(super) fn outdated(error: UnitError<User>) -> ApiError {
    match error {
        UnitError::Refused(_) => ApiError::InvalidToken,
        UnitError::Store(error) => error.into(),
    }
}
