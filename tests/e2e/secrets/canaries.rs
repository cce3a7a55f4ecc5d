//! Values that are secret, and are looked for where they must not be.

use base64::Engine;
use base64::prelude::{BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD};

/// What must not be found: names and values.
#[derive(Default)]
pub(super) struct Canaries(Vec<(&'static str, String)>);

impl Canaries {
    pub(super) fn hatch(&mut self, name: &'static str, value: impl Into<String>) -> String {
        let value = value.into();
        assert!(value.len() >= 12, "{name} is too short to be looked for");
        self.0.push((name, value.clone()));
        value
    }

    /// As it is, and as it might have been written down.
    pub(super) fn forms(&self) -> impl Iterator<Item = (&'static str, String)> {
        self.0.iter().flat_map(|(name, value)| {
            let encoded = [
                value.clone(),
                hex::encode(value),
                BASE64_STANDARD_NO_PAD.encode(value),
                BASE64_URL_SAFE_NO_PAD.encode(value),
            ];
            encoded.into_iter().map(move |form| (*name, form))
        })
    }

    pub(super) fn assert_absent(&self, text: &str, place: &str) {
        for (name, form) in self.forms() {
            assert!(!text.contains(&form), "{place} holds {name}");
        }
    }
}
