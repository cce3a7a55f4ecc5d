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
    pub is_active: bool,
    /// Whoever registered by themselves has to verify their address before they sign in.
    pub unverified: bool,
    /// A second factor is on: the password opens nothing by itself.
    pub has_second_factor: bool,
    /// The claim of the account's address: what attempts at its password are counted by.
    pub email_hash: Vec<u8>,
}

struct Row {
    user_id: Uuid,
    password_hash: String,
    role: String,
    session_version: i32,
    temporary_until: Option<DateTime<Utc>>,
    is_active: bool,
    unverified: bool,
    has_second_factor: bool,
    email_hash: Vec<u8>,
}

impl Credentials {
    /// Of the account that has claimed the address with this hash.
    pub async fn of_email(pool: &PgPool, email_hash: &[u8]) -> Result<Option<Self>, ApiError> {
        let row = sqlx::query_as!(
            Row,
            r#"SELECT c.user_id, c.password_hash, c.role, c.session_version, c.temporary_until, c.is_active, c.unverified,
                   EXISTS (SELECT FROM second_factors f WHERE f.user_id = c.user_id AND f.is_on) AS "has_second_factor!",
                   e.email_hash
               FROM email_claims e JOIN credentials c USING (user_id) WHERE e.email_hash = $1"#,
            email_hash
        );
        row.fetch_optional(pool).await?.map(Self::read).transpose()
    }

    pub async fn of_user(pool: &PgPool, user_id: UserId) -> Result<Option<Self>, ApiError> {
        let row = sqlx::query_as!(
            Row,
            r#"SELECT c.user_id, c.password_hash, c.role, c.session_version, c.temporary_until, c.is_active, c.unverified,
                   EXISTS (SELECT FROM second_factors f WHERE f.user_id = c.user_id AND f.is_on) AS "has_second_factor!",
                   e.email_hash
               FROM credentials c JOIN email_claims e USING (user_id) WHERE c.user_id = $1"#,
            user_id.0
        );
        row.fetch_optional(pool).await?.map(Self::read).transpose()
    }

    fn read(row: Row) -> Result<Self, ApiError> {
        let Row { user_id, password_hash, role, session_version, temporary_until, .. } = row;
        Ok(Self {
            user_id: UserId(user_id),
            password: password_hash.parse().map_err(anyhow::Error::from)?,
            role: role.parse().map_err(anyhow::Error::msg)?,
            session_version,
            temporary_until,
            is_active: row.is_active,
            unverified: row.unverified,
            has_second_factor: row.has_second_factor,
            email_hash: row.email_hash,
        })
    }
}
