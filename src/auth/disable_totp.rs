//! Turns the second factor off; the backup codes go with it.

use std::sync::Arc;

use aggregates::{SessionId, UserCommand, UserId};
use event_store::{Context, ExecuteError, Executed};
use futures::FutureExt;
use serde_json::Value;
use sqlx::PgPool;

use super::second_factor::{Proof, decide_change};
use crate::app::App;
use crate::error::ApiError;

/// Turns the factor of the context's owner off. Every session but `kept` ends.
pub async fn disable_totp(
    app: &App,
    context: Context,
    kept: SessionId,
    proof: Proof,
) -> Result<Executed<()>, ExecuteError<ApiError>> {
    let (user_id, pool) = (context.owner_id, app.store.pool().clone());
    let (proof, reading) = (Arc::new(proof), pool.clone());
    let disabled = app.store.execute_with(
        context,
        move |unit| decide_change(unit, user_id, kept, UserCommand::DisableTotp, reading.clone()).boxed(),
        move |append| write(pool.clone(), append, user_id, kept, proof.clone()).boxed(),
    );
    disabled.await
}

/// Only while the session that asks goes on.
async fn write(
    pool: PgPool,
    append: Value,
    user_id: UserId,
    kept: SessionId,
    proof: Arc<Proof>,
) -> Result<Option<i64>, sqlx::Error> {
    let (selector, code_hash) = proof.backup_code().unzip();
    let position = sqlx::query_scalar!(
        "WITH permitted AS MATERIALIZED (
             SELECT c.user_id FROM credentials c JOIN sessions s USING (user_id, session_version)
             WHERE c.user_id = $2 AND s.session_id = $3 AND c.is_active FOR UPDATE OF c
         ), code AS (
             DELETE FROM backup_codes b USING permitted p
             WHERE b.user_id = p.user_id AND b.selector = $5 AND b.code_hash = $6 RETURNING 1
         ), disabled AS (
             DELETE FROM second_factors f USING permitted p
             WHERE f.user_id = p.user_id AND f.is_on AND (f.last_step < $4 OR EXISTS (SELECT FROM code)) RETURNING 1
         ), changed AS (
             UPDATE credentials SET session_version = session_version + 1 FROM disabled WHERE user_id = $2
             RETURNING session_version
         ), rest AS (
             DELETE FROM backup_codes USING changed WHERE user_id = $2 AND selector IS DISTINCT FROM $5 RETURNING 1
         ), ended AS (
             DELETE FROM sessions USING changed WHERE user_id = $2 AND session_id <> $3 RETURNING 1
         ), kept AS (
             UPDATE sessions SET session_version = changed.session_version FROM changed WHERE session_id = $3 RETURNING 1
         )
         SELECT append_or_fail($1) FROM changed, (SELECT count(*) FROM rest) r, (SELECT count(*) FROM ended) e,
             (SELECT count(*) FROM kept) k",
        append,
        user_id.0,
        kept.0,
        proof.step(),
        selector,
        code_hash
    );
    Ok(position.fetch_optional(&pool).await?.flatten())
}
