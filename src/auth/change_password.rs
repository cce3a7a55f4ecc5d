//! Replaces a password, and ends the sessions that the old one opened.

use std::sync::Arc;

use aggregates::access::RevocationReason;
use aggregates::{SessionId, User, UserCommand, UserId};
use event_store::{Context, ExecuteError, Executed, Unit};
use futures::FutureExt;
use serde_json::Value;
use sqlx::PgPool;

use super::password_hash::PasswordHash;
use super::session::record_ended;
use crate::app::App;
use crate::error::ApiError;

/// A change that has been permitted, by the current password or by a change token.
pub struct Change {
    pub user_id: UserId,
    /// The account's session version when it was permitted; if it has moved on, the permission is void.
    pub session_version: i32,
    pub new: PasswordHash,
    /// The session that goes on: the one that asked.
    pub kept: Option<SessionId>,
}

/// Carries `change` out; the new password is nobody's temporary one.
pub async fn change_password(
    app: &App,
    context: Context,
    change: Change,
) -> Result<Executed<()>, ExecuteError<ApiError>> {
    let (change, pool) = (Arc::new(change), app.store.pool().clone());
    let (deciding, reading) = (change.clone(), pool.clone());
    let changed = app.store.execute_with(
        context,
        move |unit| decide(unit, deciding.clone(), reading.clone()).boxed(),
        move |append| write(pool.clone(), change.clone(), append).boxed(),
    );
    changed.await.map_err(|error| match error {
        ExecuteError::Precondition => ExecuteError::Refused(ApiError::Unauthenticated),
        error => error,
    })
}

async fn decide(unit: &mut Unit, change: Arc<Change>, pool: PgPool) -> Result<(), ApiError> {
    let mut user = unit.load::<User>(change.user_id.0).await?;
    unit.handle(&mut user, UserCommand::ChangePassword).await?;
    unit.answer(Value::Null);
    record_ended(unit, &pool, change.user_id, change.kept, RevocationReason::PasswordChanged).await
}

/// The kept session moves on to the account's new version; a session that a login starts meanwhile does not.
async fn write(pool: PgPool, change: Arc<Change>, append: Value) -> Result<Option<i64>, sqlx::Error> {
    let position = sqlx::query_scalar!(
        "WITH changed AS (
             UPDATE credentials SET password_hash = $4, session_version = session_version + 1, temporary_until = NULL
             WHERE user_id = $2 AND session_version = $3 RETURNING session_version
         ), ended AS (
             DELETE FROM sessions WHERE user_id = $2 AND session_id IS DISTINCT FROM $5
                 AND EXISTS (SELECT FROM changed) RETURNING 1
         ), kept AS (
             UPDATE sessions SET session_version = changed.session_version FROM changed
             WHERE session_id = $5 RETURNING 1
         )
         SELECT append_or_fail($1) FROM changed, (SELECT count(*) FROM ended) e, (SELECT count(*) FROM kept) k",
        append,
        change.user_id.0,
        change.session_version,
        change.new.to_string(),
        change.kept.map(|session| session.0)
    );
    Ok(position.fetch_optional(&pool).await?.flatten())
}
