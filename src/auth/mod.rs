//! Who somebody is, and that it is them: passwords, sessions and the tokens that stand for them. The secrets live in
//! tables of their own; events tell that something happened to them, never what they are.

pub mod activate_totp;
pub mod api_token;
pub mod attempts;
pub mod backup_code;
pub mod change_email;
pub mod change_password;
pub mod credentials;
pub mod deliver;
pub mod disable_totp;
pub mod email;
pub mod enroll_totp;
mod failures;
pub mod link;
pub mod password;
pub mod password_hash;
pub mod password_policy;
pub mod reauthenticate;
pub mod refresh;
pub mod refresh_token;
pub mod register;
pub mod rehash;
pub mod replace_backup_codes;
pub mod reset;
pub mod second_factor;
pub mod secret;
pub mod session;
pub mod session_checks;
pub mod setup;
#[cfg(test)]
mod tests;
pub mod token;
mod totp;
pub mod verify;

pub(crate) use failures::record_failure;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// A random key of this installation.
pub type Key = zeroize::Zeroizing<[u8; 32]>;

/// HMAC-SHA-256 (RFC 2104) of the parts in a row; only the last may vary in length.
pub fn keyed_hash(key: &Key, parts: &[&[u8]]) -> [u8; 32] {
    // HMAC pads its key with zeros to the block size.
    let mut block = zeroize::Zeroizing::new([0; 64]);
    block[..32].copy_from_slice(&**key);
    let mut hash = Hmac::<Sha256>::new((&*block).into());
    for part in parts {
        hash.update(part);
    }
    hash.finalize().into_bytes().into()
}
