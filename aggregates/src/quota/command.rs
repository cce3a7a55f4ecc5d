use crate::{DocumentId, UploadId};

/// What a quota can be asked to do; sizes and limits in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QuotaCommand {
    Open {
        limit: u64,
    },
    ChangeLimit {
        limit: u64,
    },
    /// Holds `bytes` for an upload; the same upload twice holds them once.
    Reserve {
        upload_id: UploadId,
        bytes: u64,
    },
    /// The upload is in: its reservation becomes use. Without a reservation nothing happens.
    Commit {
        upload_id: UploadId,
    },
    /// The upload will not come. Without a reservation nothing happens.
    Release {
        upload_id: UploadId,
    },
    /// A document is gone for good. The caller appends this together with the document's purge, which happens once.
    Free {
        document_id: DocumentId,
        bytes: u64,
    },
}
