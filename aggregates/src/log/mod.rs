//! The log about itself: one stream, of facts that nothing decides on.

use cqrs_es::DomainEvent;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Aggregate type, and id, of the one stream.
pub const TYPE: &str = "log";

/// What happened to the log. Names and shapes are frozen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LogEvent {
    /// The log was restored from a backup: what it held from `first_lost` on is gone, and those positions are given
    /// out anew, in another lineage.
    LogRestored {
        former_lineage: Uuid,
        lineage: Uuid,
        first_lost: i64,
        /// The last lost position that something outside the log knows of; `None`: nothing does.
        last_lost: Option<i64>,
    },
}

impl DomainEvent for LogEvent {
    fn event_type(&self) -> String {
        match self {
            Self::LogRestored { .. } => "LogRestored",
        }
        .into()
    }

    fn event_version(&self) -> String {
        "1.0".into()
    }
}
