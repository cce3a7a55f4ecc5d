//! One line of a history.

use aggregates::Event;
use chrono::{DateTime, Utc};
use event_store::RecordedEvent;
use projections::document_history;
use serde::Serialize;
use serde_json::{Map, Value};

/// One event, as people read it.
#[derive(Debug, Serialize)]
pub struct Entry {
    pub position: i64,
    pub at: DateTime<Utc>,
    /// `user:<id>`, `system:<name>` or `operator`.
    pub actor: String,
    /// The actor's e-mail address, if it can be known.
    pub who: Option<String>,
    /// The event's type in snake case.
    pub what: String,
    /// Aggregate type and id.
    pub stream: String,
    /// Personal data is open, or reads `[sealed]` or `[erased]`.
    pub details: Map<String, Value>,
}

impl Entry {
    pub(super) fn of(
        event: &RecordedEvent,
        aggregate_type: &str,
        event_type: &str,
    ) -> Result<Self, serde_json::Error> {
        let told = match &event.event {
            Event::Document(change) => document_history::changes(change),
            Event::User(change) => contents(serde_json::to_value(change)?),
            Event::Quota(change) => contents(serde_json::to_value(change)?),
            Event::Access(change) => contents(serde_json::to_value(change)?),
            Event::Log(change) => contents(serde_json::to_value(change)?),
        };
        Ok(Self {
            position: event.position,
            at: event.recorded_at,
            actor: event.metadata.get("actor").cloned().unwrap_or_default(),
            who: None,
            what: document_history::type_name(event_type),
            stream: format!("{aggregate_type} {}", event.aggregate_id),
            details: if let Value::Object(details) = told { details } else { Map::new() },
        })
    }
}

/// What is inside `{"<EventType>": {…}}`, without what is null, personal values as text.
fn contents(event: Value) -> Value {
    let Value::Object(outer) = event else { return Value::Null };
    let Some((_, Value::Object(fields))) = outer.into_iter().next() else { return Value::Null };
    let told = fields.into_iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| {
        let personal = value.get("subject").is_some();
        let shown = match value {
            Value::Object(mut personal_value) if personal => match personal_value.remove("open") {
                Some(open) => open,
                None if personal_value.contains_key("sealed") => "[sealed]".into(),
                None => "[erased]".into(),
            },
            other => other,
        };
        (name, shown)
    });
    Value::Object(told.collect())
}
