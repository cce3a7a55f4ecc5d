use chrono::{DateTime, Utc};
use cqrs_es::DomainEvent;
use serde::{Deserialize, Serialize};

use super::{Inspection, Stage};
use crate::{FolderId, Name, Personal, UploadId, UserId};

/// A SHA-256 that does not fingerprint the document for good: in clear only the salted hash is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContentHash {
    /// Hex of SHA-256(nonce ‖ sha256), both as raw bytes.
    pub salted: String,
    /// Hex of 32 random bytes.
    pub nonce: Personal<String>,
    /// Hex of the SHA-256 of the content.
    pub sha256: Personal<String>,
}

/// How the bytes reach the object store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transfer {
    /// One PUT to a staging key; confirming copies it to the final key.
    Single { staging_key: String },
    /// Parts of `part_size` bytes straight to the final key.
    Multipart { multipart_id: String, part_size: u64 },
}

/// Something that an upload or a document may have left in the object store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StoredObject {
    Object { key: String },
    Multipart { key: String, multipart_id: String },
}

/// Why uploaded bytes were refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RejectionReason {
    SizeMismatch,
    ChecksumMismatch,
}

/// An announced upload. Its owner is the subject of all that is personal in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UploadRequest {
    pub owner_id: UserId,
    pub upload_id: UploadId,
    pub name: Personal<Name>,
    pub content_type: String,
    /// Bytes.
    pub size: u64,
    pub content_hash: ContentHash,
    /// The final key, never presigned for a single PUT.
    pub object_key: String,
    pub transfer: Transfer,
    pub folder_id: Option<FolderId>,
    pub expires_at: DateTime<Utc>,
}

/// What happened to a document; sizes in bytes. Names and shapes are frozen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DocumentEvent {
    UploadRequested(Box<UploadRequest>),
    VerificationStarted {
        upload_id: UploadId,
    },
    UploadCompleted {
        upload_id: UploadId,
        version: u32,
        bytes: u64,
    },
    /// `content_type` is what the bytes are, whatever was announced.
    DocumentInspected {
        upload_id: UploadId,
        content_type: String,
        inspection: Inspection,
    },
    UploadRejected {
        upload_id: UploadId,
        reason: RejectionReason,
        objects: Vec<StoredObject>,
    },
    UploadCancelled {
        upload_id: UploadId,
        objects: Vec<StoredObject>,
    },
    UploadExpired {
        upload_id: UploadId,
        objects: Vec<StoredObject>,
    },
    DocumentRenamed {
        name: Personal<Name>,
    },
    DocumentTrashed {
        bytes: u64,
    },
    DocumentRestored {
        bytes: u64,
    },
    DocumentPurged {
        from: Stage,
        bytes: u64,
        objects: Vec<StoredObject>,
    },
}

impl UploadRequest {
    /// All that this upload may have put into the object store.
    pub fn objects(&self) -> Vec<StoredObject> {
        let key = self.object_key.clone();
        match &self.transfer {
            Transfer::Single { staging_key } => {
                vec![StoredObject::Object { key: staging_key.clone() }, StoredObject::Object { key }]
            }
            Transfer::Multipart { multipart_id, .. } => {
                let multipart_id = multipart_id.clone();
                vec![StoredObject::Multipart { key: key.clone(), multipart_id }, StoredObject::Object { key }]
            }
        }
    }
}

impl DocumentEvent {
    /// The stage that this event leads to, unless it leaves the stage alone.
    pub const fn leads_to(&self) -> Option<Stage> {
        match self {
            Self::UploadRequested(_) => Some(Stage::Pending),
            Self::VerificationStarted { .. } => Some(Stage::Verifying),
            Self::UploadCompleted { .. } | Self::DocumentRestored { .. } => Some(Stage::Active),
            Self::UploadRejected { .. } => Some(Stage::Rejected),
            Self::UploadCancelled { .. } => Some(Stage::Cancelled),
            Self::UploadExpired { .. } => Some(Stage::Expired),
            Self::DocumentInspected { .. } | Self::DocumentRenamed { .. } => None,
            Self::DocumentTrashed { .. } => Some(Stage::Trashed),
            Self::DocumentPurged { .. } => Some(Stage::Purged),
        }
    }
}

impl DomainEvent for DocumentEvent {
    fn event_type(&self) -> String {
        match self {
            Self::UploadRequested(_) => "UploadRequested",
            Self::VerificationStarted { .. } => "VerificationStarted",
            Self::UploadCompleted { .. } => "UploadCompleted",
            Self::DocumentInspected { .. } => "DocumentInspected",
            Self::UploadRejected { .. } => "UploadRejected",
            Self::UploadCancelled { .. } => "UploadCancelled",
            Self::UploadExpired { .. } => "UploadExpired",
            Self::DocumentRenamed { .. } => "DocumentRenamed",
            Self::DocumentTrashed { .. } => "DocumentTrashed",
            Self::DocumentRestored { .. } => "DocumentRestored",
            Self::DocumentPurged { .. } => "DocumentPurged",
        }
        .into()
    }

    fn event_version(&self) -> String {
        "1.0".into()
    }
}
