//! An event as others see it: CloudEvents 1.0, structured JSON. Personal data stays sealed, as the log holds it.

use event_store::RawEvent;
use projections::document_history::type_name;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

/// The attributes, then the stored payload. Extensions have lower-case names without separators (CloudEvents §3.1).
#[derive(Serialize)]
pub struct CloudEvent<'a> {
    specversion: &'static str,
    id: Uuid,
    source: String,
    r#type: &'a str,
    subject: String,
    time: String,
    datacontenttype: &'static str,
    position: i64,
    sequence: i64,
    ownerid: Uuid,
    aggregatetype: &'a str,
    aggregateid: &'a str,
    eventtype: &'a str,
    eventversion: &'a str,
    data: &'a RawValue,
}

/// What a reader of a message needs to find its event in the log.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Envelope {
    pub id: Uuid,
    source: String,
    pub position: i64,
}

/// A message that the relay did not write.
#[derive(Debug, thiserror::Error)]
#[error("the message is not an event of DocuVault: {0}")]
pub struct MalformedMessage(#[from] serde_json::Error);

const SOURCE: &str = "urn:docuvault:log:";

impl<'a> CloudEvent<'a> {
    /// `subject` is the event's, of [`subject`].
    pub fn new(event: &'a RawEvent, lineage: Uuid, subject: &'a str) -> Result<Self, serde_json::Error> {
        Ok(Self {
            specversion: "1.0",
            id: event.event_id,
            source: format!("{SOURCE}{lineage}"),
            r#type: subject,
            subject: format!("{}/{}", event.aggregate_type, event.aggregate_id),
            time: event.recorded_at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true),
            datacontenttype: "application/json",
            position: event.position,
            sequence: event.sequence,
            ownerid: event.owner_id,
            aggregatetype: &event.aggregate_type,
            aggregateid: &event.aggregate_id,
            eventtype: &event.event_type,
            eventversion: &event.event_version,
            data: serde_json::from_str(&event.payload)?,
        })
    }
}

impl Envelope {
    pub fn parse(message: &[u8]) -> Result<Self, MalformedMessage> {
        Ok(serde_json::from_slice(message)?)
    }

    /// Which lineage of the log the event is of.
    pub fn lineage(&self) -> Option<Uuid> {
        self.source.strip_prefix(SOURCE)?.parse().ok()
    }
}

/// W09: `docuvault.<aggregate>.<event>`, of letters and underscores only; `None` when the row has other names.
pub fn subject(event: &RawEvent) -> Option<String> {
    let (aggregate, name) = (&event.aggregate_type, type_name(&event.event_type));
    let plain =
        |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    (plain(aggregate) && plain(&name)).then(|| format!("docuvault.{aggregate}.{name}"))
}
