//! Gives somebody another role, deactivates or reactivates them. Whatever they had opened ends with it.

use aggregates::access::RevocationReason;
use aggregates::{Role, User, UserCommand, UserId};
use event_store::{Context, ExecuteError, Executed, Unit};
use futures::FutureExt;
use serde_json::Value;
use sqlx::PgPool;

use crate::app::App;
use crate::auth::api_token::record_revoked;
use crate::auth::session::record_ended;
use crate::error::ApiError;

/// What shall be; `None`: as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    pub role: Option<Role>,
    pub is_active: Option<bool>,
}

/// Changes the standing of the context's owner. Refused when the vault would be left without an active administrator.
pub async fn change_standing(
    app: &App,
    context: Context,
    standing: Standing,
) -> Result<Executed<()>, ExecuteError<ApiError>> {
    let (person, pool) = (context.owner_id, app.store.pool().clone());
    let reading = pool.clone();
    let changed = app.store.execute_with(
        context,
        move |unit| decide(unit, person, standing, reading.clone()).boxed(),
        move |append| write(pool.clone(), append, person, standing).boxed(),
    );
    changed.await.map_err(|error| match error {
        ExecuteError::Precondition => ExecuteError::Refused(ApiError::Conflict(
            "This is the last active administrator: make somebody else one first.".into(),
        )),
        error => error,
    })
}

async fn decide(unit: &mut Unit, person: UserId, standing: Standing, pool: PgPool) -> Result<(), ApiError> {
    let mut user = unit.load::<User>(person.0).await?;
    unit.answer(Value::Null);
    let role = standing.role.filter(|role| user.role() != Some(*role));
    let is_active = standing.is_active.filter(|is_active| user.is_active() != *is_active);
    let reason = match is_active {
        Some(false) => RevocationReason::Deactivated,
        _ => RevocationReason::RoleChanged,
    };
    if role.is_some() || is_active.is_some() {
        if user.is_active() {
            record_revoked(unit, &mut user, &pool, person).await?;
        }
        record_ended(unit, &pool, person, None, reason).await?;
    }
    if let Some(role) = role {
        unit.handle(&mut user, UserCommand::ChangeRole { role }).await?;
    }
    if let Some(is_active) = is_active {
        let command = if is_active { UserCommand::Reactivate } else { UserCommand::Deactivate };
        unit.handle(&mut user, command).await?;
    }
    Ok(())
}

/// The rows of the administrators are locked in one order before they are counted: of two who take the role from each
/// other at once, the second waits, looks again, and is refused.
async fn write(
    pool: PgPool,
    append: Value,
    person: UserId,
    standing: Standing,
) -> Result<Option<i64>, sqlx::Error> {
    let position = sqlx::query_scalar!(
        "WITH wanted AS MATERIALIZED (
             SELECT coalesce($3, role) AS role, coalesce($4, is_active) AS is_active FROM credentials WHERE user_id = $2
         ), administrators AS MATERIALIZED (
             SELECT user_id FROM credentials
             WHERE role = 'admin' AND is_active AND NOT (SELECT role = 'admin' AND is_active FROM wanted)
             ORDER BY user_id FOR UPDATE
         ), permitted AS MATERIALIZED (
             SELECT FROM wanted WHERE NOT EXISTS (SELECT FROM administrators WHERE user_id = $2)
                 OR EXISTS (SELECT FROM administrators WHERE user_id <> $2)
         ), changed AS (
             UPDATE credentials c SET role = w.role, is_active = w.is_active, session_version = session_version + 1
             FROM wanted w, permitted WHERE user_id = $2 RETURNING 1
         ), ended AS (
             DELETE FROM sessions WHERE user_id = $2 AND EXISTS (SELECT FROM changed) RETURNING 1
         ), revoked AS (
             DELETE FROM api_tokens WHERE user_id = $2 AND EXISTS (SELECT FROM changed) RETURNING 1
         ), dead AS (
             DELETE FROM link_tokens WHERE user_id = $2 AND EXISTS (SELECT FROM changed) RETURNING 1
         )
         SELECT append_or_fail($1)
         FROM changed, (SELECT count(*) FROM ended) e, (SELECT count(*) FROM revoked) r, (SELECT count(*) FROM dead) d",
        append,
        person.0,
        standing.role.map(Role::as_str),
        standing.is_active
    );
    Ok(position.fetch_optional(&pool).await?.flatten())
}
