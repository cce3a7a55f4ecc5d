//! What is done about somebody's account by somebody else: an administrator, or whoever holds the command line. None of it
//! opens that person's vault; passwords are made here and never chosen.
//!
//! The context of each names the person as the owner and whoever does it as the actor.

pub mod change_standing;
pub mod create_user;
pub mod disable_totp;
pub mod end_sessions;
pub mod issue_password;

use aggregates::{Actor, Metadata, UserId};
use chrono::TimeDelta;
use event_store::{Clock, Context};

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
