//! Gives an account another password by a link that went to its address. Whoever had the old one is out: every session and
//! API token ends, and so does whatever other link was on its way. The second factor stays, and nobody is signed in (A19).

use aggregates::access::RevocationReason;
use aggregates::{User, UserCommand, UserId};
use chrono::{DateTime, Utc};
use event_store::{Context, ExecuteError, Executed, Unit};
use futures::FutureExt;
use serde_json::Value;
use sqlx::PgPool;

use super::api_token::record_revoked;
use super::link::{outdated, used_up};
use super::password_hash::PasswordHash;
use super::session::record_ended;
use crate::app::App;
use crate::error::ApiError;

/// Uses up the link with this hash, which is the context's owner's.
pub async fn reset(
    app: &App,
    context: Context,
    token_hash: Vec<u8>,
    new: PasswordHash,
) -> Result<Executed<()>, ExecuteError<ApiError>> {
    let (user_id, now) = (context.owner_id, context.metadata.occurred_at);
    let (pool, reading, new) = (app.store.pool().clone(), app.store.pool().clone(), new.to_string());
    let reset = app.store.execute_with(
        context,
        move |unit| decide(unit, user_id, reading.clone()).boxed(),
        move |append| write(pool.clone(), append, token_hash.clone(), new.clone(), now).boxed(),
    );
    reset.await.map_err(used_up)
}

async fn decide(unit: &mut Unit, user_id: UserId, pool: PgPool) -> Result<(), ApiError> {
    let mut user = unit.load::<User>(user_id.0).await?;
    unit.handle(&mut user, UserCommand::ResetPassword).await.map_err(outdated)?;
    // The link went to the address, and came back.
    unit.handle(&mut user, UserCommand::VerifyEmail).await.map_err(outdated)?;
    record_revoked(unit, &mut user, &pool, user_id).await?;
    record_ended(unit, &pool, user_id, None, RevocationReason::PasswordReset).await?;
    unit.answer(Value::Null);
    Ok(())
}

/// An honest person whom an attacker's failures have locked out gets in again.
async fn write(
    pool: PgPool,
    append: Value,
    token_hash: Vec<u8>,
    new: String,
    now: DateTime<Utc>,
) -> Result<Option<i64>, sqlx::Error> {
    let position = sqlx::query_scalar!(
        "WITH used AS (
             DELETE FROM link_tokens l USING credentials c
             WHERE l.token_hash = $2 AND l.purpose = 'reset_password' AND l.expires_at > $3
                 AND (c.user_id, c.session_version) = (l.user_id, l.session_version)
             RETURNING l.user_id
         ), changed AS (
             UPDATE credentials c SET password_hash = $4, session_version = session_version + 1, temporary_until = NULL,
                 unverified = false
             FROM used WHERE c.user_id = used.user_id AND c.is_active RETURNING c.user_id
         ), ended AS (
             DELETE FROM sessions s USING changed c WHERE s.user_id = c.user_id RETURNING 1
         ), revoked AS (
             DELETE FROM api_tokens t USING changed c WHERE t.user_id = c.user_id RETURNING 1
         ), forgotten AS MATERIALIZED (
             SELECT forget_attempts(user_id) FROM changed
         )
         SELECT append_or_fail($1) FROM changed, (SELECT count(*) FROM ended) e, (SELECT count(*) FROM revoked) r,
             (SELECT count(forget_attempts) FROM forgotten) f",
        append,
        token_hash,
        now,
        new
    );
    Ok(position.fetch_optional(&pool).await?.flatten())
}
