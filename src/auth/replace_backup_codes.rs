//! Gives somebody new backup codes; those they had are good for nothing any more.

use std::sync::Arc;

use aggregates::{SessionId, UserCommand, UserId};
use event_store::{Context, ExecuteError, Executed};
use futures::FutureExt;
use serde_json::Value;
use sqlx::PgPool;
use zeroize::Zeroizing;

use super::backup_code::Sheet;
use super::second_factor::{Proof, decide_change};
use crate::app::App;
use crate::error::ApiError;

/// Answers the new codes of the context's owner. Every session but `kept` ends.
pub async fn replace_backup_codes(
    app: &App,
    context: Context,
    kept: SessionId,
    proof: Proof,
) -> Result<Executed<Vec<Zeroizing<String>>>, ExecuteError<ApiError>> {
    let (user_id, pool) = (context.owner_id, app.store.pool().clone());
    let sheet = Arc::new(Sheet::new(app).await.map_err(ExecuteError::Refused)?);
    let (proof, reading, written) = (Arc::new(proof), pool.clone(), sheet.clone());
    let replaced = app.store.execute_with(
        context,
        move |unit| {
            decide_change(unit, user_id, kept, UserCommand::ReplaceBackupCodes, reading.clone()).boxed()
        },
        move |append| write(pool.clone(), append, user_id, kept, proof.clone(), written.clone()).boxed(),
    );
    Ok(Executed { position: replaced.await?.position, value: sheet.codes.clone() })
}

/// Only while the session that asks goes on. The new codes come when the old ones are gone: two may begin alike.
async fn write(
    pool: PgPool,
    append: Value,
    user_id: UserId,
    kept: SessionId,
    proof: Arc<Proof>,
    sheet: Arc<Sheet>,
) -> Result<Option<i64>, sqlx::Error> {
    let (selector, code_hash) = proof.backup_code().unzip();
    let position = sqlx::query_scalar!(
        "WITH permitted AS MATERIALIZED (
             SELECT c.user_id FROM credentials c JOIN sessions s USING (user_id, session_version)
             WHERE c.user_id = $2 AND s.session_id = $3 AND c.is_active FOR UPDATE OF c
         ), step AS (
             UPDATE second_factors f SET last_step = $4 FROM permitted p
             WHERE f.user_id = p.user_id AND f.is_on AND f.last_step < $4 RETURNING 1
         ), code AS (
             DELETE FROM backup_codes b USING permitted p
             WHERE b.user_id = p.user_id AND b.selector = $5 AND b.code_hash = $6 RETURNING 1
         ), proven AS (
             SELECT FROM step UNION ALL SELECT FROM code
         ), changed AS (
             UPDATE credentials SET session_version = session_version + 1 FROM proven WHERE user_id = $2
             RETURNING session_version
         ), rest AS (
             DELETE FROM backup_codes USING changed WHERE user_id = $2 AND selector IS DISTINCT FROM $5 RETURNING 1
         ), codes AS (
             INSERT INTO backup_codes (user_id, selector, code_hash)
             SELECT $2, new.selector, new.code_hash
             FROM unnest($7::text[], $8::text[]) AS new (selector, code_hash), changed, (SELECT count(*) FROM rest) r
             RETURNING 1
         ), ended AS (
             DELETE FROM sessions USING changed WHERE user_id = $2 AND session_id <> $3 RETURNING 1
         ), kept AS (
             UPDATE sessions SET session_version = changed.session_version FROM changed WHERE session_id = $3 RETURNING 1
         )
         SELECT append_or_fail($1) FROM changed, (SELECT count(*) FROM codes) n, (SELECT count(*) FROM ended) e,
             (SELECT count(*) FROM kept) k",
        append,
        user_id.0,
        kept.0,
        proof.step(),
        selector,
        code_hash,
        &sheet.selectors,
        &sheet.hashes
    );
    Ok(position.fetch_optional(&pool).await?.flatten())
}
