//! Who caused an event, when, and in which conversation.

use std::collections::HashMap;

use chrono::{DateTime, SecondsFormat, Utc};
use uuid::Uuid;

use crate::{Personal, UserId};

/// Who acts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// A signed-in person, or the person an access is about.
    User(UserId),
    /// A process manager or consumer of DocuVault itself, by its fixed name.
    System(&'static str),
    /// Whoever holds the command line of the machine.
    Operator,
}

impl std::fmt::Display for Actor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::User(id) => write!(f, "user:{id}"),
            Self::System(name) => write!(f, "system:{name}"),
            Self::Operator => f.write_str("operator"),
        }
    }
}

/// Place of an event among the events of its append, from 1. Lets a reader of the log see where an append ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    pub index: u32,
    pub of: u32,
}

/// What accompanies every event of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    pub actor: Actor,
    /// The whole conversation: the request id of the first cause.
    pub correlation_id: Uuid,
    /// The event that a process reacted to.
    pub causation_id: Option<Uuid>,
    pub occurred_at: DateTime<Utc>,
    /// Where the request came from; belongs to the actor.
    pub ip: Option<Personal<String>>,
}

/// Metadata that was not written by [`Metadata::to_map`].
#[derive(Debug, thiserror::Error)]
#[error("metadata field `{0}` is missing or malformed")]
pub struct MetadataError(&'static str);

impl Part {
    /// Reads `part` of stored metadata; an event without it was appended alone.
    pub fn of_stored(stored: &HashMap<String, String>) -> Result<Self, MetadataError> {
        let Some(text) = stored.get("part") else { return Ok(Self { index: 1, of: 1 }) };
        let (index, of) = text.split_once('/').ok_or(MetadataError("part"))?;
        match (index.parse(), of.parse()) {
            (Ok(index), Ok(of)) if 1 <= index && index <= of => Ok(Self { index, of }),
            _ => Err(MetadataError("part")),
        }
    }
}

impl Metadata {
    /// The stored form, flat strings as cqrs-es keeps metadata. `ip` is left out: the store seals and adds it.
    pub fn to_map(&self, part: Part) -> HashMap<String, String> {
        let mut map = HashMap::from([
            ("actor".into(), self.actor.to_string()),
            ("correlation_id".into(), self.correlation_id.to_string()),
            ("occurred_at".into(), self.occurred_at.to_rfc3339_opts(SecondsFormat::Micros, true)),
        ]);
        if let Some(id) = self.causation_id {
            map.insert("causation_id".into(), id.to_string());
        }
        if part.of > 1 {
            map.insert("part".into(), format!("{}/{}", part.index, part.of));
        }
        map
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    fn metadata() -> Metadata {
        Metadata {
            actor: Actor::User(UserId(Uuid::from_u128(1))),
            correlation_id: Uuid::from_u128(2),
            causation_id: None,
            occurred_at: DateTime::UNIX_EPOCH + TimeDelta::nanoseconds(1_234_567_891),
            ip: Some(Personal::new(UserId(Uuid::from_u128(1)), "192.0.2.7".into())),
        }
    }

    fn stored(pairs: &[(&str, &str)]) -> HashMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn is_stored_flat_and_without_the_address() {
        let alone = stored(&[
            ("actor", "user:00000000-0000-0000-0000-000000000001"),
            ("correlation_id", "00000000-0000-0000-0000-000000000002"),
            ("occurred_at", "1970-01-01T00:00:01.234567Z"),
        ]);
        assert_eq!(metadata().to_map(Part { index: 1, of: 1 }), alone);

        let mut caused = alone;
        caused.extend(stored(&[("causation_id", "00000000-0000-0000-0000-000000000003"), ("part", "2/3")]));
        let metadata = Metadata { causation_id: Some(Uuid::from_u128(3)), ..metadata() };
        assert_eq!(metadata.to_map(Part { index: 2, of: 3 }), caused);
    }

    #[test]
    fn actors_are_told_apart() {
        assert_eq!(Actor::System("upload-expiry").to_string(), "system:upload-expiry");
        assert_eq!(Actor::Operator.to_string(), "operator");
    }

    #[test]
    fn part_reads_as_it_was_written() {
        for part in [Part { index: 1, of: 1 }, Part { index: 1, of: 2 }, Part { index: 100, of: 100 }] {
            assert_eq!(Part::of_stored(&metadata().to_map(part)).unwrap(), part);
        }
        for text in ["", "1", "/", "0/1", "3/2", "1/0", "-1/2", "1/2/3", "a/b", "1/4294967296"] {
            let error = Part::of_stored(&stored(&[("part", text)])).unwrap_err();
            assert_eq!(error.to_string(), "metadata field `part` is missing or malformed", "{text}");
        }
    }
}
