//! Takes a second factor away that somebody has lost, backup codes and all. The password stays.

use aggregates::access::RevocationReason;
use aggregates::{User, UserCommand, UserId};
use event_store::{Context, ExecuteError, Executed, Unit};
use futures::FutureExt;
use serde_json::Value;
use sqlx::PgPool;

use crate::app::App;
use crate::auth::session::record_ended;
use crate::error::ApiError;

/// Takes the second factor of the context's owner away; their sessions end.
pub async fn disable_totp(app: &App, context: Context) -> Result<Executed<()>, ExecuteError<ApiError>> {
    let (person, pool) = (context.owner_id, app.store.pool().clone());
    let reading = pool.clone();
    let disabled = app.store.execute_with(
        context,
        move |unit| decide(unit, person, reading.clone()).boxed(),
        move |append| write(pool.clone(), append, person).boxed(),
    );
    disabled.await
}

async fn decide(unit: &mut Unit, person: UserId, pool: PgPool) -> Result<(), ApiError> {
    let mut user = unit.load::<User>(person.0).await?;
    unit.handle(&mut user, UserCommand::DisableTotp).await?;
    unit.answer(Value::Null);
    record_ended(unit, &pool, person, None, RevocationReason::FactorChanged).await
}

async fn write(pool: PgPool, append: Value, person: UserId) -> Result<Option<i64>, sqlx::Error> {
    let position = sqlx::query_scalar!(
        "WITH changed AS (
             UPDATE credentials SET session_version = session_version + 1 WHERE user_id = $2 RETURNING 1
         ), factor AS (
             DELETE FROM second_factors WHERE user_id = $2 RETURNING 1
         ), codes AS (
             DELETE FROM backup_codes WHERE user_id = $2 RETURNING 1
         ), ended AS (
             DELETE FROM sessions WHERE user_id = $2 RETURNING 1
         ), forgotten AS (
             DELETE FROM attempts WHERE scope = 'code-account' AND subject = uuid_send($2) RETURNING 1
         )
         SELECT append_or_fail($1)
         FROM changed, (SELECT count(*) FROM factor) f, (SELECT count(*) FROM codes) c, (SELECT count(*) FROM ended) e,
              (SELECT count(*) FROM forgotten) g",
        append,
        person.0
    );
    Ok(position.fetch_optional(&pool).await?.flatten())
}
