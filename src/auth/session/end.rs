//! Ends sessions: their tokens die with the row, on every instance at once.

use std::future::ready;

use aggregates::access::RevocationReason;
use aggregates::{AccessEvent, SessionId, UserId};
use event_store::{Context, ExecuteError, Executed, Unit};
use futures::FutureExt;
use serde_json::Value;
use sqlx::PgPool;

use super::record_ended;
use crate::app::App;
use crate::error::ApiError;

/// Ends a session of the context's owner, if it goes on.
pub async fn end(
    app: &App,
    context: Context,
    session_id: SessionId,
    reason: RevocationReason,
) -> Result<Option<i64>, ApiError> {
    match revoke(app, context, session_id, reason).await {
        Ok(ended) => Ok(ended.position),
        Err(ExecuteError::Refused(ApiError::NotFound)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Ends a session of the context's owner. Refused when there is none.
pub async fn revoke(
    app: &App,
    context: Context,
    session_id: SessionId,
    reason: RevocationReason,
) -> Result<Executed<()>, ExecuteError<ApiError>> {
    let (user_id, pool) = (context.owner_id, app.store.pool().clone());
    let revoked = app.store.execute_with(
        context,
        move |unit| ready(decide(unit, user_id, session_id, reason)).boxed(),
        move |append| delete(pool.clone(), append, session_id, user_id).boxed(),
    );
    revoked.await.map_err(|error| match error {
        ExecuteError::Precondition => ExecuteError::Refused(ApiError::NotFound),
        error => error,
    })
}

fn decide(
    unit: &mut Unit,
    user_id: UserId,
    session_id: SessionId,
    reason: RevocationReason,
) -> Result<(), ApiError> {
    if reason == RevocationReason::TokenReused {
        unit.record(user_id, &AccessEvent::RefreshTokenReused { session_id })?;
    }
    unit.record(user_id, &AccessEvent::SessionRevoked { session_id, reason })?;
    unit.answer(Value::Null);
    Ok(())
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

/// Ends every session of the context's owner but `kept`. Changes nothing when there is no other.
pub async fn end_others(
    app: &App,
    context: Context,
    kept: SessionId,
) -> Result<Executed<()>, ExecuteError<ApiError>> {
    let (user_id, pool) = (context.owner_id, app.store.pool().clone());
    let reading = pool.clone();
    let ended = app.store.execute_with(
        context,
        move |unit| decide_others(unit, user_id, kept, reading.clone()).boxed(),
        move |append| delete_others(pool.clone(), append, kept, user_id).boxed(),
    );
    ended.await
}

async fn decide_others(
    unit: &mut Unit,
    user_id: UserId,
    kept: SessionId,
    pool: PgPool,
) -> Result<(), ApiError> {
    unit.answer(Value::Null);
    record_ended(unit, &pool, user_id, Some(kept), RevocationReason::Revoked).await
}

async fn delete_others(
    pool: PgPool,
    append: Value,
    kept: SessionId,
    user_id: UserId,
) -> Result<Option<i64>, sqlx::Error> {
    let position = sqlx::query_scalar!(
        "WITH ended AS (DELETE FROM sessions WHERE user_id = $3 AND session_id <> $2 RETURNING 1)
         SELECT append_or_fail($1) FROM (SELECT count(*) FROM ended) e",
        append,
        kept.0,
        user_id.0
    );
    Ok(position.fetch_optional(&pool).await?.flatten())
}
