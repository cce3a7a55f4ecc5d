//! What can be done to documents, by people and by processes alike: a command, and in the same append what it means
//! for the owner's quota. So the bytes of all documents and reservations are the quota's figures at every position.

mod carry_out;
pub mod keys;
mod request_upload;
#[cfg(test)]
mod tests;
pub mod texts;
mod transfer;

pub use carry_out::carry_out;
pub use request_upload::request_upload;
pub use transfer::{Part, SINGLE_PUT_AT_MOST, part_size, parts};

use aggregates::{Actor, Metadata, UserId};
use event_store::{Clock, Context};

/// The context of a command that the process `name` sends about somebody's vault.
pub fn system_context(name: &'static str, owner_id: UserId, clock: &Clock) -> Context {
    let metadata = Metadata {
        actor: Actor::System(name),
        correlation_id: clock.new_id(),
        causation_id: None,
        occurred_at: clock.now(),
        ip: None,
    };
    Context { owner_id, metadata, idempotency: None }
}
