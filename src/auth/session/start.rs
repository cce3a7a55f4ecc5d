//! Starts a session. What proves the second factor is used up in the same statement, so that it opens one session on any
//! instance, however often it is sent (attacks A13, A16).

use std::net::IpAddr;
use std::sync::Arc;

use aggregates::{AccessEvent, Personal, Role, SessionId, UserId};
use chrono::{DateTime, Utc};
use event_store::{Context, ExecuteError, Executed, Unit};
use futures::FutureExt;
use serde_json::Value;
use sqlx::PgPool;

use super::whole_time;
use crate::app::App;
use crate::auth::backup_code;
use crate::auth::credentials::Credentials;
use crate::auth::second_factor::Proof;
use crate::error::ApiError;

/// A session that a login has started.
#[derive(Clone, Copy, Debug)]
pub struct Started {
    pub session_id: SessionId,
    /// When one of them was used.
    pub backup_codes_left: Option<u8>,
}

struct Row {
    session_id: SessionId,
    user_id: UserId,
    role: Role,
    /// Of the account when the login was permitted.
    version: i32,
    user_agent: Option<String>,
    ip: Option<IpAddr>,
    proof: Option<Proof>,
    now: DateTime<Utc>,
}

/// Starts a session of whoever has these `credentials`, and has shown `proof` of the second factor if there is one.
/// [`ExecuteError::Precondition`]: the credentials have changed since they were read, or the proof was used before.
pub async fn start(
    app: &App,
    context: Context,
    credentials: &Credentials,
    proof: Option<Proof>,
    (user_agent, ip): (Option<String>, Option<IpAddr>),
) -> Result<Executed<Started>, ExecuteError<ApiError>> {
    let row = Arc::new(Row {
        session_id: SessionId(app.clock().new_id()),
        user_id: credentials.user_id,
        role: credentials.role,
        version: credentials.session_version,
        user_agent,
        ip,
        proof,
        now: context.metadata.occurred_at,
    });
    let (pool, deciding) = (app.store.pool().clone(), row.clone());
    let reading = pool.clone();
    let started = app.store.execute_with(
        context,
        move |unit| decide(unit, deciding.clone(), reading.clone()).boxed(),
        move |append| insert(pool.clone(), append, row.clone()).boxed(),
    );
    started.await
}

async fn decide(unit: &mut Unit, row: Arc<Row>, pool: PgPool) -> Result<Started, ApiError> {
    let (session_id, user_id) = (row.session_id, row.user_id);
    let mut backup_codes_left = None;
    if let Some(Proof::BackupCode { .. }) = row.proof {
        let left = backup_code::count(&pool, user_id).await?.saturating_sub(1);
        unit.record(user_id, &AccessEvent::BackupCodeUsed { left })?;
        backup_codes_left = Some(left);
    }
    let user_agent = row.user_agent.clone().map(|user_agent| Personal::new(user_id, user_agent));
    unit.record(user_id, &AccessEvent::SessionStarted { session_id, user_agent })?;
    Ok(Started { session_id, backup_codes_left })
}

/// Makes room for the row: a person has 100 sessions at most, and those that have expired go.
async fn insert(pool: PgPool, append: Value, row: Arc<Row>) -> Result<Option<i64>, sqlx::Error> {
    let (selector, code_hash) = row.proof.as_ref().and_then(Proof::backup_code).unzip();
    let position = sqlx::query_scalar!(
        "WITH step AS (
             UPDATE second_factors SET last_step = $9 WHERE user_id = $3 AND is_on AND last_step < $9 RETURNING 1
         ), code AS (
             DELETE FROM backup_codes WHERE user_id = $3 AND selector = $10 AND code_hash = $11 RETURNING 1
         ), proven AS (
             SELECT FROM step UNION ALL SELECT FROM code
             UNION ALL SELECT WHERE $9::bigint IS NULL AND $10::text IS NULL
         ), gone AS (
             DELETE FROM sessions WHERE user_id = $3 AND (expires_at <= $5 OR session_id IN
                 (SELECT session_id FROM sessions WHERE user_id = $3 ORDER BY rotated_at DESC OFFSET 99))
             RETURNING 1
         ), started AS (
             INSERT INTO sessions
                 (session_id, user_id, session_version, rotated_at, expires_at, created_at, user_agent, ip)
             SELECT $2, user_id, session_version, $5, $6, $5, $7, $8 FROM credentials, proven
             WHERE user_id = $3 AND session_version = $4 AND is_active
             RETURNING 1
         )
         SELECT append_or_fail($1) FROM started, (SELECT count(*) FROM gone) g",
        append,
        row.session_id.0,
        row.user_id.0,
        row.version,
        row.now,
        row.now + whole_time(row.role),
        row.user_agent,
        row.ip.map(|ip| ip.to_string()),
        row.proof.as_ref().and_then(Proof::step),
        selector,
        code_hash
    );
    Ok(position.fetch_optional(&pool).await?.flatten())
}
