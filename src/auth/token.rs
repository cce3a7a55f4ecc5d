//! Signed tokens (RFC 9068, EdDSA): the access token of a session, the token that opens nothing but the change of a
//! temporary password, and the one that opens nothing but the second step of a login (attack A09). A token is taken only if its header is, member for member, the one that we write: no other
//! algorithm, no key that it brings along (attacks A07, A08).

use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};

use aggregates::{SessionId, UserId};
use chrono::{DateTime, TimeDelta, Utc};
use ed25519_dalek::SigningKey;
use event_store::Clock;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use lru::LruCache;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use url::Url;
use uuid::Uuid;

use super::Key;

/// How long an access token is good.
pub const ACCESS_TIME: TimeDelta = TimeDelta::minutes(5);
const CHANGE_TIME: TimeDelta = TimeDelta::minutes(10);
const MFA_TIME: TimeDelta = TimeDelta::minutes(5);
/// Access tokens that are known to be ours.
const REMEMBERED: NonZeroUsize = NonZeroUsize::new(10_000).unwrap();
/// By how much the clocks of two nodes may differ.
const LEEWAY: TimeDelta = TimeDelta::seconds(5);
/// An Ed25519 private key in PKCS #8 (RFC 8410) is this and the seed.
const PKCS8_PREFIX: [u8; 16] = *b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20";

/// Signs and verifies tokens.
pub struct Tokens {
    encoding: EncodingKey,
    decoding: DecodingKey,
    key_id: String,
    issuer: String,
    /// Access tokens by their hash, so that a busy client's is verified once: the same text says the same again.
    verified: Mutex<LruCache<[u8; 32], Claims<SessionId>>>,
}

/// What a token says. `S` is the session of an access token, and nothing for the other kinds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Claims<S> {
    iss: String,
    aud: String,
    pub sub: UserId,
    pub sid: S,
    /// The account's session version when the token was made.
    pub sv: i32,
    /// Seconds since 1970, as the next two.
    exp: i64,
    nbf: i64,
    iat: i64,
    jti: Uuid,
}

/// Tells the kinds of token apart: the `typ` of the header and the audience.
#[derive(Clone, Copy)]
struct Kind {
    typ: &'static str,
    audience: &'static str,
    time: TimeDelta,
}

const ACCESS: Kind = Kind { typ: "at+jwt", audience: "docuvault", time: ACCESS_TIME };
const CHANGE: Kind =
    Kind { typ: "password-change+jwt", audience: "docuvault/password-change", time: CHANGE_TIME };
const MFA: Kind = Kind { typ: "mfa+jwt", audience: "docuvault/mfa", time: MFA_TIME };

impl Tokens {
    /// `seed` is an Ed25519 seed.
    pub fn new(seed: &Key, public_url: &Url) -> Self {
        let public = SigningKey::from_bytes(seed).verifying_key();
        let mut pkcs8 = zeroize::Zeroizing::new([0; 48]);
        pkcs8[..16].copy_from_slice(&PKCS8_PREFIX);
        pkcs8[16..].copy_from_slice(&**seed);
        Self {
            encoding: EncodingKey::from_ed_der(&*pkcs8),
            decoding: DecodingKey::from_ed_der(public.as_bytes()),
            key_id: hex::encode(&Sha256::digest(public.as_bytes())[..8]),
            issuer: public_url.origin().ascii_serialization(),
            verified: Mutex::new(LruCache::new(REMEMBERED)),
        }
    }

    /// An access token of `session`.
    pub fn access(
        &self,
        user: UserId,
        session: SessionId,
        version: i32,
        clock: &Clock,
    ) -> Result<String, jsonwebtoken::errors::Error> {
        self.sign(ACCESS, user, session, version, clock)
    }

    /// What an access token says, if it is one of ours and good now.
    pub fn verify_access(&self, token: &str, now: DateTime<Utc>) -> Option<Claims<SessionId>> {
        let hash = Sha256::digest(token.as_bytes()).into();
        let verified = || self.verified.lock().unwrap_or_else(PoisonError::into_inner);
        let known = verified().get(&hash).cloned();
        if let Some(claims) = known {
            return self.is_good(ACCESS, &claims, now).then_some(claims);
        }
        let claims = self.verify(ACCESS, token, now)?;
        verified().put(hash, claims.clone());
        Some(claims)
    }

    /// A token that lets `user` change their password while their session version is still this one.
    pub fn password_change(
        &self,
        user: UserId,
        version: i32,
        clock: &Clock,
    ) -> Result<String, jsonwebtoken::errors::Error> {
        self.sign(CHANGE, user, (), version, clock)
    }

    pub fn verify_password_change(&self, token: &str, now: DateTime<Utc>) -> Option<Claims<()>> {
        self.verify(CHANGE, token, now)
    }

    /// A token that says that `user` knows their password, and lets them show their second factor while their session
    /// version is still this one.
    pub fn mfa(
        &self,
        user: UserId,
        version: i32,
        clock: &Clock,
    ) -> Result<String, jsonwebtoken::errors::Error> {
        self.sign(MFA, user, (), version, clock)
    }

    pub fn verify_mfa(&self, token: &str, now: DateTime<Utc>) -> Option<Claims<()>> {
        self.verify(MFA, token, now)
    }

    fn header(&self, kind: Kind) -> Header {
        let mut header = Header::new(Algorithm::EdDSA);
        header.typ = Some(kind.typ.into());
        header.kid = Some(self.key_id.clone());
        header
    }

    fn sign<S: Serialize>(
        &self,
        kind: Kind,
        sub: UserId,
        sid: S,
        sv: i32,
        clock: &Clock,
    ) -> Result<String, jsonwebtoken::errors::Error> {
        let now = clock.now();
        let claims = Claims {
            iss: self.issuer.clone(),
            aud: kind.audience.into(),
            sub,
            sid,
            sv,
            exp: (now + kind.time).timestamp(),
            nbf: now.timestamp(),
            iat: now.timestamp(),
            jti: clock.new_id(),
        };
        jsonwebtoken::encode(&self.header(kind), &claims, &self.encoding)
    }

    fn verify<S: DeserializeOwned>(&self, kind: Kind, token: &str, now: DateTime<Utc>) -> Option<Claims<S>> {
        if jsonwebtoken::decode_header(token).ok()? != self.header(kind) {
            return None;
        }
        let claims = jsonwebtoken::decode::<Claims<S>>(token, &self.decoding, &validation()).ok()?.claims;
        self.is_good(kind, &claims, now).then_some(claims)
    }

    fn is_good<S>(&self, kind: Kind, claims: &Claims<S>, now: DateTime<Utc>) -> bool {
        let (early, late) = ((now + LEEWAY).timestamp(), (now - LEEWAY).timestamp());
        claims.iss == self.issuer
            && claims.aud == kind.audience
            && claims.exp > late
            && claims.nbf <= early
            && claims.iat <= early
    }
}

/// The signature, and nothing else: times are compared by our own clock, and every claim is required by its type.
fn validation() -> Validation {
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation
}
