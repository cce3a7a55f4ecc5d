//! Where bytes lie in the bucket. Keys are made here and of ids alone, so no name can lead anywhere (attack U05).

use aggregates::{DocumentId, UploadId, UserId};
use uuid::Uuid;

const STAGING: &str = "staging/";
const DERIVED: &str = "derived/";

/// The key that a single PUT is presigned for: `staging/{owner}/{document}/{upload}`.
pub fn staging(owner: UserId, document: DocumentId, upload: UploadId) -> String {
    format!("{STAGING}{owner}/{document}/{upload}")
}

/// A final key: `{owner}/{document}/{object}{extension}`.
pub fn of_object(owner: UserId, document: DocumentId, object: Uuid, extension: &str) -> String {
    format!("{owner}/{document}/{object}{extension}")
}

/// The key of the text of an upload: `derived/{owner}/{document}/{upload}`. The same whoever extracts it, so that a race
/// leaves one object.
pub fn derived(owner: UserId, document: DocumentId, upload: UploadId) -> String {
    format!("{DERIVED}{owner}/{document}/{upload}")
}

/// Whether `key` is that of a derived object.
pub fn is_derived(key: &str) -> bool {
    key.starts_with(DERIVED)
}

/// Whether `key` is a staging key.
pub fn is_staging(key: &str) -> bool {
    key.starts_with(STAGING)
}

/// The document that a final or derived key belongs to; `None`: it is not one of our keys.
pub fn document_of(key: &str) -> Option<DocumentId> {
    let mut segments = key.strip_prefix(DERIVED).unwrap_or(key).split('/');
    let (owner, document, object) = (segments.next()?, segments.next()?, segments.next()?);
    let object = object.split('.').next()?;
    (segments.next().is_none() && owner.parse::<UserId>().is_ok() && object.parse::<Uuid>().is_ok())
        .then(|| document.parse().ok())?
}
