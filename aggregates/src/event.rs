//! Every event of every aggregate, as a reader of the log meets them.

use cqrs_es::persist::{EventUpcaster, SemanticVersion, SerializedEvent};
use cqrs_es::{Aggregate, DomainEvent};

use crate::access::{self, AccessEvent};
use crate::log::{self, LogEvent};
use crate::{Document, DocumentEvent, Quota, QuotaEvent, User, UserEvent};

/// One event of the log, decoded.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    Document(DocumentEvent),
    User(UserEvent),
    Quota(QuotaEvent),
    Access(AccessEvent),
    Log(LogEvent),
}

/// A stored event that this release cannot read: written by a newer one, or not by DocuVault.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    #[error("unknown aggregate type `{0}`")]
    UnknownAggregate(String),
    #[error("event `{aggregate_type}/{event_type}` version {event_version} cannot be decoded: {source}")]
    Payload { aggregate_type: String, event_type: String, event_version: String, source: serde_json::Error },
    #[error("event type `{stored}` holds a `{payload}` payload")]
    Mislabelled { stored: String, payload: String },
    #[error("event `{event_type}` has version `{stored}`, which does not lead to version {current}")]
    UnknownVersion { event_type: String, stored: String, current: String },
}

/// Turns payloads of older versions into the current shape, in the order of the versions. Event types are unique
/// across aggregates, so an upcaster names just type and version.
pub fn upcasters() -> Vec<Box<dyn EventUpcaster>> {
    vec![]
}

impl Event {
    /// Upcasts and decodes a stored event. The payload may be sealed or open.
    pub fn decode(
        stored: SerializedEvent,
        upcasters: &[Box<dyn EventUpcaster>],
    ) -> Result<Self, DecodeError> {
        match stored.aggregate_type.as_str() {
            Document::TYPE => Self::decode_as(stored, upcasters).map(Self::Document),
            User::TYPE => Self::decode_as(stored, upcasters).map(Self::User),
            Quota::TYPE => Self::decode_as(stored, upcasters).map(Self::Quota),
            access::TYPE => Self::decode_as(stored, upcasters).map(Self::Access),
            log::TYPE => Self::decode_as(stored, upcasters).map(Self::Log),
            _ => Err(DecodeError::UnknownAggregate(stored.aggregate_type)),
        }
    }

    /// As [`Self::decode`], when the aggregate is known.
    pub fn decode_as<E: DomainEvent>(
        stored: SerializedEvent,
        upcasters: &[Box<dyn EventUpcaster>],
    ) -> Result<E, DecodeError> {
        let event = upcasters.iter().fold(stored, |event, upcaster| {
            if upcaster.can_upcast(&event.event_type, &event.event_version) {
                upcaster.upcast(event)
            } else {
                event
            }
        });
        parse(event)
    }
}

fn parse<E: DomainEvent>(stored: SerializedEvent) -> Result<E, DecodeError> {
    let SerializedEvent { aggregate_type, event_type, event_version, payload, .. } = stored;
    let event = match serde_json::from_value::<E>(payload) {
        Ok(event) => event,
        Err(source) => {
            return Err(DecodeError::Payload { aggregate_type, event_type, event_version, source });
        }
    };
    if event.event_type() != event_type {
        return Err(DecodeError::Mislabelled { stored: event_type, payload: event.event_type() });
    }
    let current = event.event_version();
    // Compared by meaning: upcasters of cqrs-es write 1.0 as 1.0.0.
    let version = |text: &str| text.parse::<SemanticVersion>().ok();
    if version(&current) != version(&event_version) {
        return Err(DecodeError::UnknownVersion { event_type, stored: event_version, current });
    }
    Ok(event)
}
