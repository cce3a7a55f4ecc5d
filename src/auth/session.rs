//! Sessions: one row per login. A request asks for its session every time, so ending one takes effect at once.

use aggregates::{Role, SessionId};
use chrono::{DateTime, Utc};
use sqlx::PgPool;

use super::token::Claims;

/// The role of the person whose session `claims` names, if the session still goes on.
pub async fn check(
    pool: &PgPool,
    claims: &Claims<SessionId>,
    now: DateTime<Utc>,
) -> Result<Option<Role>, sqlx::Error> {
    let role = sqlx::query_scalar!(
        "SELECT c.role FROM sessions s JOIN credentials c USING (user_id)
         WHERE s.session_id = $1 AND s.user_id = $2 AND s.expires_at > $3
           AND s.session_version = c.session_version AND c.session_version >= $4",
        claims.sid.0,
        claims.sub.0,
        now,
        claims.sv
    )
    .fetch_optional(pool)
    .await?;
    role.map(|role| role.parse().map_err(|error: String| sqlx::Error::Decode(error.into()))).transpose()
}
