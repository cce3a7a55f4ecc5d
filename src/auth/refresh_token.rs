//! Refresh tokens: family ‖ generation ‖ HMAC(key, family ‖ generation). A token's successor is computed, not stored,
//! so within the grace period the same one can be given twice; nothing of a token is at rest, not even its hash.

use aggregates::SessionId;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use subtle::ConstantTimeEq;
use uuid::Uuid;

use super::{Key, keyed_hash};

/// Family, generation, MAC.
const LENGTH: usize = 16 + 8 + 32;

/// Makes and recognizes refresh tokens.
pub struct RefreshTokens(Key);

/// The session that a token belongs to, and how many rotations it is old.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefreshToken {
    pub session_id: SessionId,
    pub generation: i64,
}

impl RefreshTokens {
    pub const fn new(key: Key) -> Self {
        Self(key)
    }

    pub fn write(&self, token: RefreshToken) -> String {
        let mut bytes = Vec::with_capacity(LENGTH);
        bytes.extend_from_slice(token.session_id.0.as_bytes());
        bytes.extend_from_slice(&token.generation.to_be_bytes());
        bytes.extend_from_slice(&keyed_hash(&self.0, &[&bytes]));
        BASE64.encode(bytes)
    }

    /// `None` if this installation never made it.
    pub fn read(&self, text: &str) -> Option<RefreshToken> {
        let bytes: [u8; LENGTH] = BASE64.decode(text).ok()?.try_into().ok()?;
        let (named, mac) = bytes.split_at(24);
        let (family, generation) = named.split_at(16);
        let is_ours = bool::from(mac.ct_eq(&keyed_hash(&self.0, &[named])));
        is_ours.then_some(RefreshToken {
            session_id: SessionId(Uuid::from_slice(family).ok()?),
            generation: i64::from_be_bytes(generation.try_into().ok()?),
        })
    }
}
