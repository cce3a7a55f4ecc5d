use chrono::{DateTime, Utc};

use super::{Inspection, RejectionReason, UploadRequest};
use crate::{Name, Personal, UploadId};

/// What a document can be asked to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DocumentCommand {
    RequestUpload(Box<UploadRequest>),
    /// All parts of a multipart upload are stored and joined.
    BeginVerification {
        now: DateTime<Utc>,
    },
    /// The bytes are in place under the final key, and checked.
    CompleteUpload {
        now: DateTime<Utc>,
    },
    /// The bytes are not what was announced.
    RejectUpload {
        reason: RejectionReason,
    },
    /// The uploader gives up.
    CancelUpload,
    /// The deadline has passed.
    ExpireUpload {
        now: DateTime<Utc>,
    },
    /// Somebody has looked into the uploaded bytes.
    RecordInspection {
        upload_id: UploadId,
        content_type: String,
        inspection: Inspection,
    },
    Rename {
        name: Personal<Name>,
    },
    Trash,
    Restore,
    /// For good: the bytes leave the quota at once and the object store soon after.
    Purge,
}
