//! What is done about somebody's account by somebody else: an administrator, or whoever holds the command line. None of it
//! opens that person's vault; passwords are made here and never chosen.
//!
//! The context of each names the person as the owner and whoever does it as the actor.

pub mod change_standing;
pub mod create_user;
pub mod disable_totp;
pub mod end_sessions;
pub mod issue_password;

use aggregates::access::RevocationReason;
use aggregates::{AccessEvent, Actor, Metadata, SessionId, UserId};
use chrono::TimeDelta;
use event_store::{Clock, Context, Unit};
use sqlx::PgPool;

use crate::error::ApiError;

/// How long a temporary password is good.
pub const TEMPORARY_TIME: TimeDelta = TimeDelta::hours(24);

/// The context of a command by whoever holds the command line, about `person`.
pub fn by_operator(person: UserId, clock: &Clock) -> Context {
    let metadata = Metadata {
        actor: Actor::Operator,
        correlation_id: clock.new_id(),
        causation_id: None,
        occurred_at: clock.now(),
        ip: None,
    };
    Context { owner_id: person, metadata, idempotency: None }
}

/// Records that every session of `person` ends; the statement of the append deletes their rows.
async fn record_ended_sessions(
    unit: &mut Unit,
    pool: &PgPool,
    person: UserId,
    reason: RevocationReason,
) -> Result<(), ApiError> {
    let sessions = sqlx::query_scalar!("SELECT session_id FROM sessions WHERE user_id = $1", person.0);
    for session_id in sessions.fetch_all(pool).await?.into_iter().map(SessionId) {
        unit.record(person, &AccessEvent::SessionRevoked { session_id, reason })?;
    }
    Ok(())
}
