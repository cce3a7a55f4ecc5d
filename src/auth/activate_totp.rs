//! Turns a second factor on, by its first code, and answers backup codes for the day when it is lost.

use std::sync::Arc;

use aggregates::{SessionId, UserCommand, UserError, UserId};
use event_store::{Context, ExecuteError, Executed};
use futures::FutureExt;
use serde_json::Value;
use sqlx::PgPool;
use zeroize::Zeroizing;

use super::backup_code::Sheet;
use super::reauthenticate::by_code;
use super::second_factor::{Accepts, Factor, Proof, decide_change};
use super::secret::Secret;
use crate::app::App;
use crate::error::ApiError;

/// Turns the enrolled factor of the context's owner on. Every session but `kept` ends.
pub async fn activate_totp(
    app: &App,
    context: Context,
    kept: SessionId,
    code: Secret,
) -> Result<Executed<Vec<Zeroizing<String>>>, ApiError> {
    match Factor::of(app.store.pool(), context.owner_id).await? {
        None => return Err(UserError::TotpNotEnrolled.into()),
        Some(Factor { is_on: true, .. }) => return Err(UserError::TotpAlreadyEnabled.into()),
        Some(_) => {}
    }
    let activated = by_code(app, context.clone(), Accepts::Enrolled, code, |proof| async move {
        let sheet = Arc::new(Sheet::new(app).await.map_err(ExecuteError::Refused)?);
        let done = turn_on(app, context, kept, proof, sheet.clone()).await?;
        Ok(Executed { value: sheet.codes.clone(), position: done.position })
    });
    Ok(activated.await?)
}

async fn turn_on(
    app: &App,
    context: Context,
    kept: SessionId,
    proof: Proof,
    sheet: Arc<Sheet>,
) -> Result<Executed<()>, ExecuteError<ApiError>> {
    let (user_id, pool) = (context.owner_id, app.store.pool().clone());
    let (proof, reading) = (Arc::new(proof), pool.clone());
    let on = app.store.execute_with(
        context,
        move |unit| decide_change(unit, user_id, kept, UserCommand::EnableTotp, reading.clone()).boxed(),
        move |append| write(pool.clone(), append, user_id, kept, proof.clone(), sheet.clone()).boxed(),
    );
    on.await
}

/// Only the seed that the code was made of, and only while the session that asks goes on.
async fn write(
    pool: PgPool,
    append: Value,
    user_id: UserId,
    kept: SessionId,
    proof: Arc<Proof>,
    sheet: Arc<Sheet>,
) -> Result<Option<i64>, sqlx::Error> {
    let Proof::Step { step, seed } = &*proof else { return Ok(None) };
    let position = sqlx::query_scalar!(
        "WITH permitted AS MATERIALIZED (
             SELECT c.user_id FROM credentials c JOIN sessions s USING (user_id, session_version)
             WHERE c.user_id = $2 AND s.session_id = $3 AND c.is_active FOR UPDATE OF c
         ), enabled AS (
             UPDATE second_factors f SET is_on = true, last_step = $5 FROM permitted p
             WHERE f.user_id = p.user_id AND NOT f.is_on AND f.seed = $4 AND f.last_step < $5 RETURNING 1
         ), changed AS (
             UPDATE credentials SET session_version = session_version + 1 FROM enabled WHERE user_id = $2
             RETURNING session_version
         ), ended AS (
             DELETE FROM sessions USING changed WHERE user_id = $2 AND session_id <> $3 RETURNING 1
         ), kept AS (
             UPDATE sessions SET session_version = changed.session_version FROM changed WHERE session_id = $3 RETURNING 1
         ), codes AS (
             INSERT INTO backup_codes (user_id, selector, code_hash)
             SELECT $2, new.selector, new.code_hash
             FROM unnest($6::text[], $7::text[]) AS new (selector, code_hash), changed RETURNING 1
         )
         SELECT append_or_fail($1) FROM changed, (SELECT count(*) FROM ended) e, (SELECT count(*) FROM kept) k,
             (SELECT count(*) FROM codes) n",
        append,
        user_id.0,
        kept.0,
        seed,
        step,
        &sheet.selectors,
        &sheet.hashes
    );
    Ok(position.fetch_optional(&pool).await?.flatten())
}
