//! Sessions: one row per login. A request asks for its session every time, so ending one takes effect at once.

use std::future::ready;
use std::slice;

use aggregates::access::RevocationReason;
use aggregates::{AccessEvent, Personal, Role, SessionId, UserId};
use chrono::{DateTime, TimeDelta, Utc};
use event_store::{Context, ExecuteError, Executed, Unit};
use futures::FutureExt;
use serde_json::Value;
use sqlx::PgPool;
use uuid::Uuid;

use super::credentials::Credentials;
use super::token::Claims;
use crate::app::App;
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

/// Starts a session of whoever has these `credentials`.
pub async fn start(
    app: &App,
    context: Context,
    credentials: &Credentials,
    user_agent: Option<String>,
) -> Result<Executed<SessionId>, ApiError> {
    let (session_id, user_id) = (SessionId(app.clock().new_id()), credentials.user_id);
    let (version, pool) = (credentials.session_version, app.store.pool().clone());
    let now = context.metadata.occurred_at;
    let expires_at = now + whole_time(credentials.role);
    let event = AccessEvent::SessionStarted {
        session_id,
        user_agent: user_agent.map(|user_agent| Personal::new(user_id, user_agent)),
    };
    let started = app.store.execute_with(
        context,
        move |unit| ready(record(unit, user_id, slice::from_ref(&event))).boxed(),
        move |append| insert(pool.clone(), append, session_id, user_id, version, now, expires_at).boxed(),
    );
    match started.await {
        Ok(started) => Ok(Executed { value: session_id, position: started.position }),
        // The password was changed while this one was being checked.
        Err(ExecuteError::Precondition) => Err(ApiError::Unauthenticated),
        Err(error) => Err(error.into()),
    }
}

/// Takes accesses of `user` into a unit.
pub fn record(unit: &mut Unit, user: UserId, events: &[AccessEvent]) -> Result<(), ApiError> {
    Ok(events.iter().try_for_each(|event| unit.record(user, event))?)
}

/// Makes room for the row: a person has 100 sessions at most, and those that have expired go.
async fn insert(
    pool: PgPool,
    append: Value,
    session_id: SessionId,
    user_id: UserId,
    version: i32,
    now: DateTime<Utc>,
    expires_at: DateTime<Utc>,
) -> Result<Option<i64>, sqlx::Error> {
    let position = sqlx::query_scalar!(
        "WITH gone AS (
             DELETE FROM sessions WHERE user_id = $3 AND (expires_at <= $5 OR session_id IN
                 (SELECT session_id FROM sessions WHERE user_id = $3 ORDER BY rotated_at DESC OFFSET 99))
             RETURNING 1
         ), started AS (
             INSERT INTO sessions (session_id, user_id, session_version, rotated_at, expires_at, created_at)
             SELECT $2, user_id, session_version, $5, $6, $5 FROM credentials WHERE user_id = $3 AND session_version = $4
             RETURNING 1
         )
         SELECT append_or_fail($1) FROM started, (SELECT count(*) FROM gone) g",
        append,
        session_id.0,
        user_id.0,
        version,
        now,
        expires_at
    );
    Ok(position.fetch_optional(&pool).await?.flatten())
}

/// Ends a session; `None` if it had ended before.
pub async fn end(
    app: &App,
    context: Context,
    session_id: SessionId,
    reason: RevocationReason,
) -> Result<Option<i64>, ApiError> {
    let (user_id, pool) = (context.owner_id, app.store.pool().clone());
    let mut events = vec![AccessEvent::SessionRevoked { session_id, reason }];
    if reason == RevocationReason::TokenReused {
        events.insert(0, AccessEvent::RefreshTokenReused { session_id });
    }
    let ended = app.store.execute_with(
        context,
        move |unit| ready(record(unit, user_id, &events)).boxed(),
        move |append| delete(pool.clone(), append, session_id, user_id).boxed(),
    );
    match ended.await {
        Ok(ended) => Ok(ended.position),
        Err(ExecuteError::Precondition) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

async fn delete(
    pool: PgPool,
    append: Value,
    session_id: SessionId,
    user_id: UserId,
) -> Result<Option<i64>, sqlx::Error> {
    let position = sqlx::query_scalar!(
        "WITH gone AS (DELETE FROM sessions WHERE session_id = $2 AND user_id = $3 RETURNING 1)
         SELECT append_or_fail($1) FROM gone",
        append,
        session_id.0,
        user_id.0
    );
    Ok(position.fetch_optional(&pool).await?.flatten())
}
