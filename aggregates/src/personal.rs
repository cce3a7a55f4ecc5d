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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use uuid::Uuid;

    use super::*;

    fn forms() -> [(Personal<String>, Value); 3] {
        let subject = UserId(Uuid::from_u128(1));
        let id = "00000000-0000-0000-0000-000000000001";
        [
            (Personal::new(subject, "Ada".into()), json!({ "subject": id, "open": "Ada" })),
            (
                Personal { subject, value: PersonalValue::Sealed("QWRh".into()) },
                json!({ "subject": id, "sealed": "QWRh" }),
            ),
            (
                Personal { subject, value: PersonalValue::Erased(true) },
                json!({ "subject": id, "erased": true }),
            ),
        ]
    }

    #[test]
    fn is_stored_in_one_of_three_forms() {
        for (personal, stored) in forms() {
            assert_eq!(serde_json::to_value(&personal).unwrap(), stored);
            assert_eq!(serde_json::from_value::<Personal<String>>(stored).unwrap(), personal);
        }
        for malformed in [json!({ "subject": Uuid::nil() }), json!({ "open": "Ada" }), json!("Ada")] {
            assert!(serde_json::from_value::<Personal<String>>(malformed.clone()).is_err(), "{malformed}");
        }
    }

    #[test]
    fn opens_only_when_open() {
        let open = forms().map(|(personal, _)| personal.open().cloned());
        assert_eq!(open, [Some("Ada".into()), None, None]);
    }

    #[test]
    fn debug_shows_no_value() {
        for ((personal, _), state) in forms().into_iter().zip(["open", "sealed", "erased"]) {
            let shown = format!("{personal:?} {personal:#?}");
            assert!(shown.contains(state) && shown.contains("0001"), "{shown}");
            assert!(!shown.contains("Ada") && !shown.contains("QWRh"), "{shown}");
        }
    }
}
