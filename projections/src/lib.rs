//! Read models: tables that answer queries, folded from the log and from nothing else.
//!
//! To add a projection: a migration for its table, which bears its name, and a folder here with `mod.rs` (its rows), `projection.rs` (the
//! fold, the only writer of its tables), `queries.rs` (the only reader) and `tests.rs`; then a line in [`all`]. Its
//! name is the name of its checkpoint and never changes. Folds are set-based — one SELECT for the rows that a batch
//! touches, the fold in memory, one upsert, one DELETE — and name tables without a schema, because
//! `docuvault-replay verify` runs the same fold over a temporary table of the same name and compares.
//!
//! [`run`] drives each of them; [`Freshness`] tells a request when they have seen its events.

mod checkpoint;
pub mod document_history;
pub mod document_listing;
#[cfg(test)]
mod fixture;
mod freshness;
pub mod quota_usage;
mod subscription;
#[cfg(test)]
mod tests;
pub mod user_directory;

use std::sync::Arc;

use aggregates::{Personal, PersonalValue};

pub use checkpoint::Checkpoint;
pub use freshness::Freshness;
pub use subscription::{Subscriber, run};

/// Every projection there is.
pub fn all() -> Vec<Arc<dyn Subscriber>> {
    vec![
        Arc::new(document_listing::DocumentListing),
        Arc::new(document_history::DocumentHistory),
        Arc::new(quota_usage::QuotaUsage),
        Arc::new(user_directory::UserDirectory),
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
