//! Ends whatever somebody has opened: they have to sign in again.

use aggregates::access::RevocationReason;
use aggregates::{User, UserId};
use event_store::{Context, ExecuteError, Executed, Unit};
use futures::FutureExt;
use serde_json::Value;
use sqlx::PgPool;

use crate::app::App;
use crate::auth::session::record_ended;
use crate::error::ApiError;

/// Ends every session of the context's owner. Changes nothing when there is none.
pub async fn end_sessions(app: &App, context: Context) -> Result<Executed<()>, ExecuteError<ApiError>> {
    let (person, pool) = (context.owner_id, app.store.pool().clone());
    let reading = pool.clone();
    let ended = app.store.execute_with(
        context,
        move |unit| decide(unit, person, reading.clone()).boxed(),
        move |append| write(pool.clone(), append, person).boxed(),
    );
    ended.await
}

async fn decide(unit: &mut Unit, person: UserId, pool: PgPool) -> Result<(), ApiError> {
    let user = unit.load::<User>(person.0).await?;
    user.role().ok_or(ApiError::NotFound)?;
    unit.answer(Value::Null);
    record_ended(unit, &pool, person, None, RevocationReason::EndedByAdministrator).await
}

async fn write(pool: PgPool, append: Value, person: UserId) -> Result<Option<i64>, sqlx::Error> {
    let position = sqlx::query_scalar!(
        "WITH changed AS (
             UPDATE credentials SET session_version = session_version + 1 WHERE user_id = $2 RETURNING 1
         ), ended AS (
             DELETE FROM sessions WHERE user_id = $2 RETURNING 1
         )
         SELECT append_or_fail($1) FROM changed, (SELECT count(*) FROM ended) e",
        append,
        person.0
    );
    Ok(position.fetch_optional(&pool).await?.flatten())
}
