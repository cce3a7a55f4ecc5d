//! Read models: tables that answer queries, folded from the log and from nothing else.
//!
//! To add a projection: a migration for its tables, and a folder here with `mod.rs` (its rows), `projection.rs` (the
//! fold, the only writer of its tables), `queries.rs` (the only reader) and `tests.rs`; then a line in [`all`]. Its
//! name is the name of its checkpoint and never changes. Folds are set-based — one SELECT for the rows that a batch
//! touches, the fold in memory, one upsert, one DELETE — and name tables without a schema, because
//! `docuvault-replay verify` runs the same fold over temporary tables of the same names and compares.
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

/// What is shown of a personal value: its text, or that it is gone with its key.
fn shown(value: Option<&str>) -> String {
    value.unwrap_or("[erased]").to_owned()
}
