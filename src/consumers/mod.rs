//! What happens because of messages of NATS: each consumer has a durable of its own, and instances of it in several
//! processes compete for its messages.
//!
//! A message is only a hint. The event is read again from the log at the position that the message names, and
//! compared by event id and lineage: a forged or outdated message moves nothing (W10). An event that fails [`TRIES`]
//! times becomes a dead letter, which an operator can retry; others flow on (F11). What is unavailable for a while is waited
//! for, and is no failure ([`Trouble`]).
//!
//! To add a consumer: a file here, a line in [`all`], and its permissions in `deploy/nats-server.conf`.

mod audit;
pub mod classification;
pub mod dead_letters;
mod notification;
mod pull;
#[cfg(test)]
mod tests;
mod trouble;

use std::sync::Arc;

use event_store::RecordedEvent;
use futures::future::BoxFuture;

pub use pull::run;
pub use trouble::Trouble;

use crate::app::App;
use crate::inspection::Inspector;
use crate::nats::Durable;

/// Tries of an event before it becomes a dead letter.
pub const TRIES: i32 = 5;

/// Acts on events, at least once each and in any order: after a crash, a lost acknowledgement, or when NATS has lost
/// its store and is filled again from the log, the same event comes again, years later if need be. What a consumer does
/// must therefore be idempotent by event id: a command that finds that it is already so, a row whose key is the event's.
/// A consumer that changes something in the vault sends a command, like any client.
pub trait Consumer: Send + Sync + 'static {
    /// The name of its durable, and of its client at NATS. Never changes.
    fn name(&self) -> &'static str;

    /// Which events it is given: subjects of NATS such as `docuvault.document.upload_completed`.
    fn subjects(&self) -> &'static [&'static str];

    /// Events that it handles at a time, in each process.
    fn at_once(&self) -> usize {
        1
    }

    /// False: an event that fails is tried for ever, and no dead letter takes it out of the way.
    fn gives_up(&self) -> bool {
        true
    }

    /// Handles one event, as the log holds it. It may take its time: NATS is told that it is under way.
    fn handle(&self, event: RecordedEvent) -> BoxFuture<'_, Result<(), Trouble>>;
}

/// Every consumer there is.
pub fn all(app: &Arc<App>) -> Vec<Arc<dyn Consumer>> {
    vec![
        Arc::new(audit::Audit::new(app.store.clone())),
        Arc::new(classification::Classification {
            store: app.store.clone(),
            blobs: app.blobs.clone(),
            inspector: Inspector::of_this_program(),
        }),
        Arc::new(notification::Notification { store: app.store.clone() }),
    ]
}

/// Every durable there is: the relay makes them, with or without the consumers in its process.
pub fn durables(app: &Arc<App>) -> Vec<Durable> {
    let durable =
        |consumer: Arc<dyn Consumer>| Durable { name: consumer.name(), subjects: consumer.subjects() };
    all(app).into_iter().map(durable).collect()
}
