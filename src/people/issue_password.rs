//! Gives somebody a temporary password in the place of one that is lost. The second factor stays.

use aggregates::access::RevocationReason;
use aggregates::{User, UserCommand, UserId};
use chrono::{DateTime, Utc};
use event_store::{Context, Executed, Unit};
use futures::FutureExt;
use serde_json::Value;
use sqlx::PgPool;

use super::TEMPORARY_TIME;
use crate::app::App;
use crate::auth::api_token::record_revoked;
use crate::auth::password::Password;
use crate::auth::session::record_ended;
use crate::error::ApiError;

/// Answers the new password of the context's owner, to be shown once. Whatever the old one had opened ends, and its
/// failures are forgotten.
pub async fn issue_password(app: &App, context: Context) -> Result<Executed<Password>, ApiError> {
    let password = Password::random()?;
    let hash = app.passwords.hash(password.clone()).await?.to_string();
    let (person, until) = (context.owner_id, context.metadata.occurred_at + TEMPORARY_TIME);
    let pool = app.store.pool().clone();
    let reading = pool.clone();
    let issued = app.store.execute_with(
        context,
        move |unit| decide(unit, person, reading.clone()).boxed(),
        move |append| write(pool.clone(), append, person, hash.clone(), until).boxed(),
    );
    let Executed { position, .. } = issued.await?;
    Ok(Executed { value: password, position })
}

async fn decide(unit: &mut Unit, person: UserId, pool: PgPool) -> Result<(), ApiError> {
    let mut user = unit.load::<User>(person.0).await?;
    unit.handle(&mut user, UserCommand::IssueTemporaryPassword).await?;
    unit.answer(Value::Null);
    record_revoked(unit, &mut user, &pool, person).await?;
    record_ended(unit, &pool, person, None, RevocationReason::PasswordReset).await
}

async fn write(
    pool: PgPool,
    append: Value,
    person: UserId,
    hash: String,
    until: DateTime<Utc>,
) -> Result<Option<i64>, sqlx::Error> {
    let position = sqlx::query_scalar!(
        "WITH changed AS (
             UPDATE credentials SET password_hash = $3, temporary_until = $4, session_version = session_version + 1
             WHERE user_id = $2 RETURNING 1
         ), ended AS (
             DELETE FROM sessions WHERE user_id = $2 RETURNING 1
         ), revoked AS (
             DELETE FROM api_tokens WHERE user_id = $2 RETURNING 1
         ), dead AS (
             DELETE FROM link_tokens WHERE user_id = $2 AND purpose = 'reset_password' RETURNING 1
         )
         SELECT append_or_fail($1)
         FROM changed, (SELECT count(*) FROM ended) e, (SELECT count(*) FROM revoked) r, (SELECT count(*) FROM dead) d,
              forget_attempts($2) f",
        append,
        person.0,
        hash,
        until
    );
    Ok(position.fetch_optional(&pool).await?.flatten())
}
