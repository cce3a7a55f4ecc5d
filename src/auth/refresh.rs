//! Rotation of refresh tokens (RFC 9700 §4.14.2). The row of the session is locked meanwhile, so of two tabs that
//! refresh at once one rotates and the other is given the same successor.

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

/// What to do with a token, given its session.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Rotate,
    Repeat,
    Reused,
    Ended,
}

struct Row {
    user_id: Uuid,
    generation: i64,
    rotated_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    role: String,
    session_version: i32,
}

/// Rotates `token`, or finds out why not.
pub async fn refresh(app: &App, token: RefreshToken) -> Result<Refreshed, ApiError> {
    let now = app.clock().now();
    let mut tx = app.store.pool().begin().await?;
    let row = sqlx::query_as!(
        Row,
        "SELECT s.user_id, s.generation, s.rotated_at, s.expires_at, c.role, c.session_version
         FROM sessions s JOIN credentials c ON c.user_id = s.user_id AND c.session_version = s.session_version
         WHERE s.session_id = $1 FOR UPDATE OF s",
        token.session_id.0
    );
    let Some(row) = row.fetch_optional(&mut *tx).await? else { return Ok(Refreshed::Ended) };
    let role: Role = row.role.parse().map_err(anyhow::Error::msg)?;
    let verdict = judge(&row, role, token.generation, now);
    if verdict == Verdict::Rotate {
        sqlx::query!(
            "UPDATE sessions SET generation = generation + 1, rotated_at = $2 WHERE session_id = $1",
            token.session_id.0,
            now
        )
        .execute(&mut *tx)
        .await?;
    }
    tx.commit().await?;

    let (session_id, user_id) = (token.session_id, UserId(row.user_id));
    Ok(match verdict {
        Verdict::Rotate | Verdict::Repeat => Refreshed::Live {
            session: LiveSession { session_id, user_id, role, version: row.session_version },
            successor: RefreshToken { session_id, generation: token.generation + 1 },
        },
        Verdict::Reused => Refreshed::Reused { user_id },
        Verdict::Ended => Refreshed::Ended,
    })
}

fn judge(row: &Row, role: Role, generation: i64, now: DateTime<Utc>) -> Verdict {
    if row.expires_at <= now || row.rotated_at + idle_time(role) <= now {
        return Verdict::Ended;
    }
    match row.generation - generation {
        0 => Verdict::Rotate,
        1 if now <= row.rotated_at + GRACE => Verdict::Repeat,
        1.. => Verdict::Reused,
        // From before a restore of the database: nothing is known of it any more.
        _ => Verdict::Ended,
    }
}
