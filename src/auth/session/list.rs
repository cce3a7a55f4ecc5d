//! The sessions of a person, for the person: where else somebody is signed in as them.

use aggregates::{Role, UserId};
use chrono::{DateTime, Utc};
use sqlx::PgPool;
use uuid::Uuid;

use super::idle_time;
use crate::error::ApiError;

/// A session that goes on.
pub struct Listed {
    pub session_id: Uuid,
    pub created_at: DateTime<Utc>,
    /// Its last refresh.
    pub last_used_at: DateTime<Utc>,
    pub user_agent: Option<String>,
    pub ip: Option<String>,
}

/// The newest first, from `before` on; those that idleness or age has ended are not among them.
pub async fn list(
    pool: &PgPool,
    (user_id, role): (UserId, Role),
    before: Option<Uuid>,
    now: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<Listed>, ApiError> {
    let sessions = sqlx::query_as!(
        Listed,
        "SELECT s.session_id, s.created_at, s.rotated_at AS last_used_at, s.user_agent, s.ip
         FROM sessions s JOIN credentials c USING (user_id, session_version)
         WHERE s.user_id = $1 AND ($2::uuid IS NULL OR s.session_id < $2) AND s.expires_at > $3 AND s.rotated_at > $4
         ORDER BY s.session_id DESC LIMIT $5",
        user_id.0,
        before,
        now,
        now - idle_time(role),
        limit
    );
    Ok(sessions.fetch_all(pool).await?)
}
