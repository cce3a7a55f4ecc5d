//! Values that belong to a person, and that only the person's key opens.

use serde::{Deserialize, Serialize};

use crate::UserId;

/// A value about `subject`. The domain works with it open; the store seals it on append, under the subject's own
/// key, and opens it on load. Once the key is destroyed it reads as [`PersonalValue::Erased`].
///
/// Stored as `{"subject": <uuid>, "open" | "sealed" | "erased": …}`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Personal<T> {
    pub subject: UserId,
    #[serde(flatten)]
    pub value: PersonalValue<T>,
}

/// The three states of personal data.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PersonalValue<T> {
    Open(T),
    /// Base64 of the ciphertext.
    Sealed(String),
    /// Always `true`: the key is gone.
    Erased(bool),
}

impl<T> Personal<T> {
    pub const fn new(subject: UserId, value: T) -> Self {
        Self { subject, value: PersonalValue::Open(value) }
    }

    /// The value, unless it is sealed or erased.
    pub const fn open(&self) -> Option<&T> {
        match &self.value {
            PersonalValue::Open(value) => Some(value),
            PersonalValue::Sealed(_) | PersonalValue::Erased(_) => None,
        }
    }
}

/// Shows the state and the subject, never the value: events end up in logs and test output.
impl<T> std::fmt::Debug for Personal<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = match self.value {
            PersonalValue::Open(_) => "open",
            PersonalValue::Sealed(_) => "sealed",
            PersonalValue::Erased(_) => "erased",
        };
        write!(f, "Personal({state}, {})", self.subject)
    }
}
