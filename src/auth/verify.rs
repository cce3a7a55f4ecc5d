//! Verifies the address of an account that somebody has opened by themselves: from then on they can sign in.

use aggregates::{User, UserCommand, UserId};
use chrono::{DateTime, Utc};
use event_store::{Context, ExecuteError, Executed, Unit};
use futures::FutureExt;
use serde_json::Value;
use sqlx::PgPool;

use super::link::{outdated, used_up};
use crate::app::App;
use crate::error::ApiError;

/// Uses up the link with this hash, which is the context's owner's.
pub async fn verify(
    app: &App,
    context: Context,
    token_hash: Vec<u8>,
) -> Result<Executed<()>, ExecuteError<ApiError>> {
    let (user_id, now) = (context.owner_id, context.metadata.occurred_at);
    let pool = app.store.pool().clone();
    let verified = app.store.execute_with(
        context,
        move |unit| decide(unit, user_id).boxed(),
        move |append| write(pool.clone(), append, token_hash.clone(), now).boxed(),
    );
    verified.await.map_err(used_up)
}

async fn decide(unit: &mut Unit, user_id: UserId) -> Result<(), ApiError> {
    let mut user = unit.load::<User>(user_id.0).await?;
    // It is verified already: another request with this link was first.
    if unit.handle(&mut user, UserCommand::VerifyEmail).await.map_err(outdated)? == 0 {
        return Err(ApiError::InvalidToken);
    }
    unit.answer(Value::Null);
    Ok(())
}

async fn write(
    pool: PgPool,
    append: Value,
    token_hash: Vec<u8>,
    now: DateTime<Utc>,
) -> Result<Option<i64>, sqlx::Error> {
    let position = sqlx::query_scalar!(
        "WITH used AS (
             DELETE FROM link_tokens l USING credentials c
             WHERE l.token_hash = $2 AND l.purpose = 'verify_email' AND l.expires_at > $3
                 AND (c.user_id, c.session_version) = (l.user_id, l.session_version)
             RETURNING l.user_id, l.password_hash
         ), verified AS (
             UPDATE credentials c SET unverified = false, password_hash = coalesce(used.password_hash, c.password_hash)
             FROM used WHERE c.user_id = used.user_id AND c.is_active RETURNING c.user_id
         ), others AS (
             DELETE FROM link_tokens l USING verified v
             WHERE l.user_id = v.user_id AND l.purpose = 'verify_email' AND l.token_hash <> $2 RETURNING 1
         )
         SELECT append_or_fail($1) FROM verified, (SELECT count(*) FROM others) o",
        append,
        token_hash,
        now
    );
    Ok(position.fetch_optional(&pool).await?.flatten())
}
