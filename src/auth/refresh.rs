//! Rotation of refresh tokens (RFC 9700 §4.14.2), one statement that commits by itself. It locks the row of the session, so
//! of two tabs that refresh at once one rotates and the other is given the same successor.

use std::net::IpAddr;

use aggregates::{Role, SessionId, UserId};
use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::refresh_token::RefreshToken;
use super::session::idle_time;
use crate::app::App;
use crate::error::ApiError;

/// How long a rotated token is answered with the successor it already had (a lost answer, a second tab).
const GRACE: TimeDelta = TimeDelta::seconds(10);

/// What became of a refresh token that this installation made.
pub enum Refreshed {
    /// The session goes on with this token.
    Live { session: LiveSession, successor: RefreshToken },
    /// An old token came back: somebody has a copy.
    Reused { user_id: UserId },
    /// The session has ended.
    Ended,
}

/// Whose session goes on.
pub struct LiveSession {
    pub session_id: SessionId,
    pub user_id: UserId,
    pub role: Role,
    pub version: i32,
}

/// A session as it was found, and what became of it.
struct Row {
    user_id: Uuid,
    generation: i64,
    rotated_at: DateTime<Utc>,
    /// Too old, or idle for too long.
    is_over: bool,
    is_rotated: bool,
    role: String,
    session_version: i32,
}

/// Rotates `token`, or finds out why not. The session keeps where it was last used from.
pub async fn refresh(
    app: &App,
    token: RefreshToken,
    user_agent: Option<&str>,
    ip: Option<IpAddr>,
) -> Result<Refreshed, ApiError> {
    let now = app.clock().now();
    let row = sqlx::query_as!(
        Row,
        r#"WITH found AS MATERIALIZED (
               SELECT s.session_id, s.user_id, s.generation, s.rotated_at, c.role, c.session_version,
                   s.expires_at <= $3
                       OR s.rotated_at <= CASE c.role WHEN 'admin' THEN $4::timestamptz ELSE $5::timestamptz END AS is_over
               FROM sessions s JOIN credentials c ON c.user_id = s.user_id AND c.session_version = s.session_version
               WHERE s.session_id = $1 AND c.is_active FOR UPDATE OF s
           ), rotated AS (
               UPDATE sessions s SET generation = s.generation + 1, rotated_at = $3, user_agent = $6, ip = $7 FROM found f
               WHERE s.session_id = f.session_id AND f.generation = $2 AND NOT f.is_over RETURNING 1
           )
           SELECT user_id, generation, rotated_at, is_over AS "is_over!", EXISTS (SELECT FROM rotated) AS "is_rotated!",
               role, session_version
           FROM found"#,
        token.session_id.0,
        token.generation,
        now,
        now - idle_time(Role::Admin),
        now - idle_time(Role::User),
        user_agent,
        ip.map(|ip| ip.to_string())
    );
    let Some(row) = row.fetch_optional(app.store.pool()).await? else { return Ok(Refreshed::Ended) };
    let (session_id, user_id) = (token.session_id, UserId(row.user_id));
    let goes_on = || {
        let role = row.role.parse().map_err(anyhow::Error::msg)?;
        Ok(Refreshed::Live {
            session: LiveSession { session_id, user_id, role, version: row.session_version },
            successor: RefreshToken { session_id, generation: token.generation + 1 },
        })
    };
    match row.generation - token.generation {
        _ if row.is_rotated => goes_on(),
        _ if row.is_over => Ok(Refreshed::Ended),
        1 if now <= row.rotated_at + GRACE => goes_on(),
        1.. => Ok(Refreshed::Reused { user_id }),
        // From before a restore of the database: nothing is known of it any more.
        _ => Ok(Refreshed::Ended),
    }
}
