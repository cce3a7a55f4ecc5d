//! Personal data in events: sealed on append, opened on load, one field at a time.
//!
//! A sealed value is AES-256-GCM under its subject's key: version ‖ algorithm ‖ key id ‖ 96-bit random nonce ‖
//! ciphertext ‖ tag, in base64. The AAD binds it to its event and to its place in the event, so that it opens nowhere
//! else (attack W14).

use std::collections::HashMap;

use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes256Gcm, KeyInit};
use aggregates::UserId;
use base64::Engine;
use base64::prelude::BASE64_STANDARD_NO_PAD as BASE64;
use rand::Rng;
use serde_json::{Map, Value};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::keys::UserKey;

const VERSION: u8 = 1;
const AES_256_GCM: u8 = 1;
const HEADER: usize = 2 + 16;
const NONCE: usize = 12;

/// Keys at hand, by subject.
pub(crate) type Keys = HashMap<UserId, UserKey>;

/// Sealing or opening failed.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    #[error("a sealed value is not in a known format")]
    Malformed,
    #[error("a sealed value does not open: wrong key, moved or altered")]
    Decrypt,
    #[error("encryption failed")]
    Encrypt,
    #[error("key derivation failed")]
    Derivation,
    #[error("the system's random source failed")]
    Randomness,
    #[error("no key for user {0}: not registered, or erased")]
    NoKey(UserId),
    #[error("version {0} of the master key is missing from the master key file")]
    NoMasterKey(i32),
}

/// Length-prefixed app, version, purpose, place, user, record and key id.
pub(crate) fn aad(purpose: &str, place: &str, user: Uuid, record: Uuid, key_id: Uuid) -> Vec<u8> {
    let mut out = Vec::with_capacity(128);
    for field in [
        b"docuvault".as_slice(),
        &[VERSION],
        purpose.as_bytes(),
        place.as_bytes(),
        user.as_bytes(),
        record.as_bytes(),
        key_id.as_bytes(),
    ] {
        out.extend_from_slice(&u32::try_from(field.len()).unwrap_or(u32::MAX).to_be_bytes());
        out.extend_from_slice(field);
    }
    out
}

pub(crate) fn encrypt(key: &[u8; 32], key_id: Uuid, plain: &[u8], aad: &[u8]) -> Result<Vec<u8>, SealError> {
    let mut nonce = [0; NONCE];
    // A generator in this process, seeded by the system's: three system calls fewer for each event.
    rand::rng().fill_bytes(&mut nonce);
    let cipher = Aes256Gcm::new(key.into());
    let sealed =
        cipher.encrypt(&nonce.into(), Payload { msg: plain, aad }).map_err(|_| SealError::Encrypt)?;
    let mut blob = Vec::with_capacity(HEADER + NONCE + sealed.len());
    blob.extend_from_slice(&[VERSION, AES_256_GCM]);
    blob.extend_from_slice(key_id.as_bytes());
    blob.extend_from_slice(&nonce);
    blob.extend_from_slice(&sealed);
    Ok(blob)
}

pub(crate) fn decrypt(key: &[u8; 32], blob: &[u8], aad: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
    if blob.len() < HEADER + NONCE || blob[..2] != [VERSION, AES_256_GCM] {
        return Err(SealError::Malformed);
    }
    let (nonce, sealed) = blob[HEADER..].split_at(NONCE);
    let nonce: [u8; NONCE] = nonce.try_into().map_err(|_| SealError::Malformed)?;
    let cipher = Aes256Gcm::new(key.into());
    cipher
        .decrypt(&nonce.into(), Payload { msg: sealed, aad })
        .map(Zeroizing::new)
        .map_err(|_| SealError::Decrypt)
}

/// Seals one value of `subject` at `place` of the event `event_id`.
pub(crate) fn seal_value(
    keys: &Keys,
    subject: UserId,
    event_id: Uuid,
    place: &str,
    plain: &[u8],
) -> Result<String, SealError> {
    let key = keys.get(&subject).ok_or(SealError::NoKey(subject))?;
    let aad = aad("event-pii", place, subject.0, event_id, key.key_id);
    Ok(BASE64.encode(encrypt(&key.pii, key.key_id, plain, &aad)?))
}

/// Opens what [`seal_value`] sealed; `None` when the subject's key is gone.
pub(crate) fn open_value(
    keys: &Keys,
    subject: UserId,
    event_id: Uuid,
    place: &str,
    sealed: &str,
) -> Result<Option<Zeroizing<Vec<u8>>>, SealError> {
    let Some(key) = keys.get(&subject) else { return Ok(None) };
    let blob = BASE64.decode(sealed).map_err(|_| SealError::Malformed)?;
    decrypt(&key.pii, &blob, &aad("event-pii", place, subject.0, event_id, key.key_id)).map(Some)
}

/// Place of the sender's address, which is kept in the metadata.
pub(crate) const IP: &str = "events.metadata/ip";

/// Seals every open personal value of `payload` in place.
pub(crate) fn seal_payload(keys: &Keys, event_id: Uuid, payload: &mut Value) -> Result<(), SealError> {
    walk(payload, &mut String::from("events.payload"), &mut |place, subject, fields| {
        let Some(open) = fields.remove("open") else { return Ok(()) };
        let plain = Zeroizing::new(open.to_string().into_bytes());
        fields.insert("sealed".into(), seal_value(keys, subject, event_id, place, &plain)?.into());
        Ok(())
    })
}

/// Opens every sealed personal value of `payload` in place; those whose key is gone become erased.
pub(crate) fn open_payload(keys: &Keys, event_id: Uuid, payload: &mut Value) -> Result<(), SealError> {
    walk(payload, &mut String::from("events.payload"), &mut |place, subject, fields| {
        let Some(Value::String(sealed)) = fields.remove("sealed") else { return Ok(()) };
        match open_value(keys, subject, event_id, place, &sealed)? {
            Some(plain) => {
                let open = serde_json::from_slice(&plain).map_err(|_| SealError::Malformed)?;
                fields.insert("open".into(), open);
            }
            None => {
                fields.insert("erased".into(), true.into());
            }
        }
        Ok(())
    })
}

/// The subjects of all personal values in `payload`.
pub(crate) fn subjects(payload: &mut Value) -> Vec<UserId> {
    let mut found = Vec::new();
    // The visitor cannot fail.
    let _ = walk(payload, &mut String::new(), &mut |_, subject, _| {
        found.push(subject);
        Ok(())
    });
    found
}

type Visitor<'a> = &'a mut dyn FnMut(&str, UserId, &mut Map<String, Value>) -> Result<(), SealError>;

/// Visits each `{"subject": …, "open" | "sealed" | "erased": …}` with its place, such as
/// `events.payload/UploadRequested/name`.
fn walk(value: &mut Value, place: &mut String, visit: Visitor<'_>) -> Result<(), SealError> {
    match value {
        Value::Object(fields) => {
            if let Some(subject) = personal_subject(fields) {
                return visit(place, subject, fields);
            }
            for (name, child) in fields.iter_mut() {
                let length = place.len();
                place.push('/');
                place.push_str(name);
                walk(child, place, visit)?;
                place.truncate(length);
            }
        }
        Value::Array(items) => {
            for (index, child) in items.iter_mut().enumerate() {
                let length = place.len();
                place.push('/');
                place.push_str(&index.to_string());
                walk(child, place, visit)?;
                place.truncate(length);
            }
        }
        _ => {}
    }
    Ok(())
}

fn personal_subject(fields: &Map<String, Value>) -> Option<UserId> {
    if fields.len() != 2 || !["open", "sealed", "erased"].iter().any(|state| fields.contains_key(*state)) {
        return None;
    }
    fields.get("subject")?.as_str()?.parse().ok()
}
