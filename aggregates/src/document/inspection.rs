use serde::{Deserialize, Serialize};

/// What a look into uploaded bytes came to. The text itself is personal and never part of an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Inspection {
    /// The text is kept under `key`.
    TextExtracted {
        /// ISO 639-3, or `und` when no language was recognized.
        language: String,
        characters: u64,
        /// Of the derived object. It does not count against the quota.
        key: String,
        /// Size of the derived object.
        bytes: u64,
    },
    NotInspected {
        reason: InspectionRefusal,
    },
}

/// Why no text was extracted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InspectionRefusal {
    /// Larger than what is looked into.
    TooLarge,
    /// Of a type that no text is extracted from.
    Unsupported,
    Encrypted,
    /// Not what its type says, or damaged.
    Malformed,
    TimeLimit,
    MemoryLimit,
    /// It would unpack to more than what is kept.
    OutputLimit,
}

impl Inspection {
    /// The key of the derived object, if there is one.
    pub fn key(&self) -> Option<&str> {
        match self {
            Self::TextExtracted { key, .. } => Some(key),
            Self::NotInspected { .. } => None,
        }
    }
}
