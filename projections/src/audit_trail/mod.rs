//! Who did what, when and from where: one row for every event of the log, none left out, without names or contents of
//! documents. Fed by the audit consumer, so no request waits for it but those that read it.

mod projection;
mod queries;
#[cfg(test)]
mod tests;

use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

pub use projection::{AuditTrail, NAME};
pub use queries::{AuditPage, AuditQuery, list};

/// One event, as auditors see it.
#[derive(Clone, Debug, PartialEq)]
pub struct AuditRow {
    pub position: i64,
    pub event_id: Uuid,
    pub at: DateTime<Utc>,
    /// `user:<id>`, `system:<name>` or `operator`.
    pub actor: String,
    /// The event's type in snake case, such as `session_started`.
    pub r#type: String,
    /// `document:<id>`, `user:<id>`, `quota:<id>` or `log`.
    pub subject: String,
    /// Where the request came from; none: not from a network, not written down, or erased with its person.
    pub ip: Option<String>,
    /// What else the event says, but for everything personal.
    pub details: Value,
}
