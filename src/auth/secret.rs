//! Texts that a client sends and that must not be shown: not in a log, not in a message, not left in memory.

use serde::{Deserialize, Deserializer};
use zeroize::Zeroizing;

/// A password or a token of a request.
#[derive(Clone)]
pub struct Secret(pub Zeroizing<String>);

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(Zeroizing::new(text)))
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[secret]")
    }
}
