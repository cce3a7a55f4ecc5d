use cqrs_es::DomainEvent;
use serde::{Deserialize, Serialize};

use crate::{DocumentId, UploadId};

/// What happened to a quota; sizes and limits in bytes. Names and shapes are frozen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum QuotaEvent {
    QuotaOpened { limit: u64 },
    LimitChanged { limit: u64 },
    SpaceReserved { upload_id: UploadId, bytes: u64 },
    SpaceCommitted { upload_id: UploadId, bytes: u64 },
    SpaceReleased { upload_id: UploadId, bytes: u64 },
    SpaceFreed { document_id: DocumentId, bytes: u64 },
}

impl DomainEvent for QuotaEvent {
    fn event_type(&self) -> String {
        match self {
            Self::QuotaOpened { .. } => "QuotaOpened",
            Self::LimitChanged { .. } => "LimitChanged",
            Self::SpaceReserved { .. } => "SpaceReserved",
            Self::SpaceCommitted { .. } => "SpaceCommitted",
            Self::SpaceReleased { .. } => "SpaceReleased",
            Self::SpaceFreed { .. } => "SpaceFreed",
        }
        .into()
    }

    fn event_version(&self) -> String {
        "1.0".into()
    }
}
