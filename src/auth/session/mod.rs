//! Sessions: one row per login. A request asks for its session every time, so ending one takes effect at once.
//!
//! A command that ends the sessions of somebody deletes their rows in the statement of its append (`ended AS (DELETE FROM
//! sessions WHERE user_id = … RETURNING 1)`), and tells it by [`record_ended`].

mod end;
mod list;
mod start;

use aggregates::access::RevocationReason;
use aggregates::{AccessEvent, Role, SessionId, UserId};
use chrono::{DateTime, TimeDelta, Utc};
use event_store::Unit;
use sqlx::PgPool;
use uuid::Uuid;

pub use end::{end, end_others, revoke};
pub use list::{Listed, list};
pub use start::{Started, start};

use super::token::Claims;
use crate::error::ApiError;

/// How long a session goes on without a refresh.
pub const fn idle_time(role: Role) -> TimeDelta {
    match role {
        Role::Admin => TimeDelta::minutes(30),
        Role::User | Role::Auditor => TimeDelta::hours(12),
    }
}

/// How long a session goes on, whatever happens.
const fn whole_time(role: Role) -> TimeDelta {
    match role {
        Role::Admin => TimeDelta::hours(12),
        Role::User | Role::Auditor => TimeDelta::days(7),
    }
}

/// What a request is told of its session: one statement for all that every request needs.
#[derive(Clone, Copy, Debug)]
pub struct Going {
    pub role: Role,
    /// Of the log.
    pub lineage: Uuid,
    pub expires_at: DateTime<Utc>,
}

/// The session that `claims` names, if it still goes on.
pub async fn check(
    pool: &PgPool,
    claims: &Claims<SessionId>,
    now: DateTime<Utc>,
) -> Result<Option<Going>, ApiError> {
    let row = sqlx::query!(
        "SELECT c.role, lineage, s.expires_at FROM sessions s JOIN credentials c USING (user_id) CROSS JOIN log_identity
         WHERE s.session_id = $1 AND s.user_id = $2 AND s.expires_at > $3
           AND s.session_version = c.session_version AND c.session_version >= $4 AND c.is_active",
        claims.sid.0,
        claims.sub.0,
        now,
        claims.sv
    )
    .fetch_optional(pool)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let role = row.role.parse().map_err(anyhow::Error::msg)?;
    Ok(Some(Going { role, lineage: row.lineage, expires_at: row.expires_at }))
}

/// Records that every session of `person` but `kept` ends; the statement of the append deletes their rows.
pub async fn record_ended(
    unit: &mut Unit,
    pool: &PgPool,
    person: UserId,
    kept: Option<SessionId>,
    reason: RevocationReason,
) -> Result<(), ApiError> {
    let ended = sqlx::query_scalar!(
        "SELECT session_id FROM sessions WHERE user_id = $1 AND session_id IS DISTINCT FROM $2",
        person.0,
        kept.map(|session| session.0)
    );
    for session_id in ended.fetch_all(pool).await?.into_iter().map(SessionId) {
        unit.record(person, &AccessEvent::SessionRevoked { session_id, reason })?;
    }
    Ok(())
}
