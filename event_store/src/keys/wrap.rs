//! Key derivation (HKDF-SHA-256, RFC 5869) and key wrapping (AES-256-GCM, NIST SP 800-38D).

use aggregates::UserId;
use hkdf::Hkdf;
use sha2::Sha256;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::seal::{self, SealError};

pub(super) fn derive(key: &[u8], salt: &[u8], info: &str) -> Result<Zeroizing<[u8; 32]>, SealError> {
    let mut out = Zeroizing::new([0; 32]);
    Hkdf::<Sha256>::new(Some(salt), key)
        .expand(info.as_bytes(), out.as_mut())
        .map_err(|_| SealError::Derivation)?;
    Ok(out)
}

/// The key that seals a person's values in events.
pub(super) fn derive_pii(user_key: &[u8; 32]) -> Result<Zeroizing<[u8; 32]>, SealError> {
    derive(user_key, &[], "docuvault/v1/user/event-pii")
}

/// The key that seals the snapshots of a person's streams.
pub(super) fn derive_snapshot(user_key: &[u8; 32]) -> Result<Zeroizing<[u8; 32]>, SealError> {
    derive(user_key, &[], "docuvault/v1/user/snapshot")
}

/// The key that seals the seed of a person's second factor.
pub(super) fn derive_totp(user_key: &[u8; 32]) -> Result<Zeroizing<[u8; 32]>, SealError> {
    derive(user_key, &[], "docuvault/v1/user/totp")
}

pub(super) fn user_key_aad(user: UserId, key_id: Uuid) -> Vec<u8> {
    seal::aad("user-key", "user_keys.wrapped", user.0, user.0, key_id)
}

pub(super) fn installation_key_aad(purpose: &str, key_id: Uuid) -> Vec<u8> {
    seal::aad(purpose, "installation_keys.wrapped", Uuid::nil(), Uuid::nil(), key_id)
}

pub(super) fn wrap(kek: &[u8; 32], key: &[u8; 32], aad: &[u8]) -> Result<Vec<u8>, SealError> {
    seal::encrypt(kek, Uuid::nil(), key, aad)
}

pub(super) fn unwrap(kek: &[u8; 32], wrapped: &[u8], aad: &[u8]) -> Result<Zeroizing<[u8; 32]>, SealError> {
    let plain = seal::decrypt(kek, wrapped, aad)?;
    Ok(Zeroizing::new(plain.as_slice().try_into().map_err(|_| SealError::Malformed)?))
}
