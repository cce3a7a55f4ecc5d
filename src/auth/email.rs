//! E-mail addresses: shown as they were given, compared without regard to case, kept for comparing only as keyed
//! hashes, so that the claims tell nobody who has an account.

use unicode_normalization::UnicodeNormalization;

use super::{Key, keyed_hash};

/// RFC 5321 §4.5.3.1: the longest address that mail can travel to.
const MAX_LENGTH: usize = 254;
const MAX_LOCAL_LENGTH: usize = 64;

/// A plausible address, trimmed and in NFC. Whether it exists only a mail can tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Email(String);

/// A text is not an e-mail address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("This is not an e-mail address such as ada@example.com, of 254 bytes at most.")]
pub struct EmailError;

impl Email {
    pub fn parse(text: &str) -> Result<Self, EmailError> {
        let email: String = text.trim().nfc().collect();
        let (local, domain) = email.rsplit_once('@').ok_or(EmailError)?;
        let is_fine = email.len() <= MAX_LENGTH
            && (1..=MAX_LOCAL_LENGTH).contains(&local.len())
            && local.chars().all(is_of_local)
            && domain.split('.').all(is_label);
        if is_fine { Ok(Self(email)) } else { Err(EmailError) }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Letters of any script, digits and the marks of RFC 5322 §3.2.3; no quoting, no white space, no controls.
fn is_of_local(c: char) -> bool {
    c.is_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c)
}

fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label.chars().all(|c| c.is_alphanumeric() || c == '-')
}

/// Hashes addresses for the claims.
pub struct EmailIndex(Key);

impl EmailIndex {
    pub const fn new(key: Key) -> Self {
        Self(key)
    }

    /// The same for every spelling of an address. Takes any text, so that a login says nothing about its form.
    pub fn hash(&self, email: &str) -> Vec<u8> {
        let folded: String = email.trim().to_lowercase().nfc().collect();
        keyed_hash(&self.0, &[folded.as_bytes()]).to_vec()
    }
}
