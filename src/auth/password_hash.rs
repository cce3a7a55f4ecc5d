//! The stored form of a password: as PHC strings have it, except that the hash is peppered and so opens nowhere else.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::prelude::BASE64_STANDARD_NO_PAD as BASE64;

use super::password::Parameters;

pub(super) const SALT: usize = 16;

/// `$dv-argon2id$v=19$m=<KiB>,t=<passes>,p=<lanes>$<salt>$<hash>`, the last two in base64.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash {
    pub(super) parameters: Parameters,
    pub(super) salt: [u8; SALT],
    pub(super) hash: [u8; 32],
}

/// A stored password hash is not in its form.
#[derive(Debug, thiserror::Error)]
#[error("a stored password hash is malformed")]
pub struct Malformed;

impl fmt::Display for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Parameters { memory_kib, passes, lanes } = self.parameters;
        let (salt, hash) = (BASE64.encode(self.salt), BASE64.encode(self.hash));
        write!(f, "$dv-argon2id$v=19$m={memory_kib},t={passes},p={lanes}${salt}${hash}")
    }
}

impl FromStr for PasswordHash {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        parse(text).ok_or(Malformed)
    }
}

fn parse(text: &str) -> Option<PasswordHash> {
    let mut parts = text.strip_prefix("$dv-argon2id$v=19$")?.split('$');
    let (costs, salt, hash) = (parts.next()?, parts.next()?, parts.next()?);
    let mut costs = costs.split(',').zip(["m=", "t=", "p="]);
    let mut cost = || costs.next().and_then(|(text, name)| text.strip_prefix(name)?.parse().ok());
    Some(PasswordHash {
        parameters: Parameters { memory_kib: cost()?, passes: cost()?, lanes: cost()? },
        salt: BASE64.decode(salt).ok()?.try_into().ok()?,
        hash: BASE64.decode(hash).ok()?.try_into().ok()?,
    })
}
