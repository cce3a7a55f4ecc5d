//! What an account signs in with.

use aggregates::{Role, UserId};
use chrono::{DateTime, Utc};
use sqlx::PgPool;
use uuid::Uuid;

use super::password_hash::PasswordHash;
use crate::error::ApiError;

/// The credentials of one account.
pub struct Credentials {
    pub user_id: UserId,
    pub password: PasswordHash,
    pub role: Role,
    /// Every session belongs to one version, and ends with it.
    pub session_version: i32,
    /// A password that the server made and that must be changed; it opens nothing after this time.
    pub temporary_until: Option<DateTime<Utc>>,
}

struct Row {
    user_id: Uuid,
    password_hash: String,
    role: String,
    session_version: i32,
    temporary_until: Option<DateTime<Utc>>,
}

impl Credentials {
    /// Of the account that has claimed the address with this hash.
    pub async fn of_email(pool: &PgPool, email_hash: &[u8]) -> Result<Option<Self>, ApiError> {
        let row = sqlx::query_as!(
            Row,
            "SELECT c.user_id, c.password_hash, c.role, c.session_version, c.temporary_until
             FROM email_claims e JOIN credentials c USING (user_id) WHERE e.email_hash = $1",
            email_hash
        );
        row.fetch_optional(pool).await?.map(Self::read).transpose()
    }

    pub async fn of_user(pool: &PgPool, user_id: UserId) -> Result<Option<Self>, ApiError> {
        let row = sqlx::query_as!(
            Row,
            "SELECT user_id, password_hash, role, session_version, temporary_until FROM credentials WHERE user_id = $1",
            user_id.0
        );
        row.fetch_optional(pool).await?.map(Self::read).transpose()
    }

    fn read(row: Row) -> Result<Self, ApiError> {
        let Row { user_id, password_hash, role, session_version, temporary_until } = row;
        Ok(Self {
            user_id: UserId(user_id),
            password: password_hash.parse().map_err(anyhow::Error::from)?,
            role: role.parse().map_err(anyhow::Error::msg)?,
            session_version,
            temporary_until,
        })
    }
}
