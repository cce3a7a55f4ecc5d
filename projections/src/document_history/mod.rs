//! Every change of every document, also of purged ones: what `GET /documents/{id}/history` shows.

mod projection;
mod queries;
#[cfg(test)]
mod tests;

use chrono::{DateTime, Utc};
use serde_json::Value;

pub use projection::{DocumentHistory, changes, type_name};
pub use queries::{HistoryPage, list};

/// One change of a document.
#[derive(Clone, Debug, PartialEq)]
pub struct HistoryRow {
    pub position: i64,
    pub at: DateTime<Utc>,
    /// `user:<id>`, `system:<name>` or `operator`.
    pub actor: String,
    /// The event's type in snake case, such as `upload_completed`.
    pub r#type: String,
    /// What is different now, as people think of it: name, size, content type, status, reason.
    pub changes: Value,
}
