//! Read models: tables that answer queries, folded from the log and from nothing else.
//!
//! To add a projection:
//! - a migration for its table, which bears its name: `PARTITION BY LIST (generation)`, with `generation bigint NOT NULL`
//!   first in the primary key and in every index, and `SELECT add_projection('<name>')` at its end;
//! - a folder here with `mod.rs` (its rows), `projection.rs` (the fold, the only writer of its table), `queries.rs` (the
//!   only reader) and `tests.rs`; then a line in [`all`].
//!
//! Its name is the name of its checkpoint and never changes. Folds are set-based — one SELECT for the rows that a batch
//! touches, the fold in memory, one upsert, one DELETE — within the generation that they are given, and name tables
//! without a schema: a rebuild and a verification run the same fold over another table of the same name. Queries take
//! the rows of the serving generation.
//!
//! To change what a fold makes of old events: raise its `version`. Beside the running release, `docuvault projections
//! prepare` of the new one builds the new generation; [`Projection::previous`] keeps the old fold for one release, and
//! queries that need more than what both wrote ask [`Serving`] which of them it was.
//!
//! [`Subscriptions`] drives each of them; [`Rebuild`] replaces one while people work; [`Freshness`] tells a request when
//! they have seen its events.

pub mod audit_trail;
mod checkpoint;
pub mod document_history;
pub mod document_listing;
pub mod document_search;
#[cfg(test)]
mod fixture;
mod freshness;
mod intake;
pub mod quota_usage;
mod rebuild;
mod serving;
mod skip;
mod status;
mod subscriber;
mod subscription;
#[cfg(test)]
mod tests;
pub mod user_directory;
mod verify;

use std::sync::Arc;

use aggregates::{Personal, PersonalValue};

pub use checkpoint::{Checkpoint, Holder, LOOK_EVERY};
pub use freshness::Freshness;
pub use intake::intake;
pub use rebuild::{Drive, Rebuild};
pub use serving::Serving;
pub use skip::{Skip, skip};
pub use status::{Progress, State, Status, Stopped, observe, stopped};
pub use subscriber::{Process, Projection};
pub use subscription::{Subscriptions, project};
pub use verify::{CannotFold, Comparison, Folded, compare};

/// Every projection there is.
pub fn all() -> Vec<Arc<dyn Projection>> {
    vec![
        Arc::new(document_listing::DocumentListing),
        Arc::new(document_history::DocumentHistory),
        Arc::new(document_search::DocumentSearch),
        Arc::new(quota_usage::QuotaUsage),
        Arc::new(user_directory::UserDirectory),
        Arc::new(audit_trail::AuditTrail),
    ]
}

/// What people see of a personal value: its text, or why it cannot be read.
pub fn shown<T>(value: &Personal<T>, text: impl Fn(&T) -> &str) -> String {
    match &value.value {
        PersonalValue::Open(value) => text(value).to_owned(),
        PersonalValue::Sealed(_) => "[sealed]".to_owned(),
        PersonalValue::Erased(_) => "[erased]".to_owned(),
    }
}
