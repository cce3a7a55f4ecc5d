//! Have the announced bytes arrived? And into their final place, which may have happened in an earlier try.

use aggregates::document::{RejectionReason, Transfer, UploadRequest};

use crate::blobs::{BlobError, Blobs, Stored, StoredPart};
use crate::documents;
use crate::error::ApiError;

/// Why an upload is not confirmed: what is stored is not what was announced, or anything that changes nothing.
pub(super) enum Refusal {
    Rejected(RejectionReason),
    Answered(ApiError),
}

impl From<BlobError> for Refusal {
    fn from(error: BlobError) -> Self {
        Self::Answered(error.into())
    }
}

/// Checks what was stored, and puts it under the final key. `parts`: of a multipart upload, as the client names them;
/// if it does not, as the object store has them.
pub(super) async fn arrive(
    blobs: &Blobs,
    request: &UploadRequest,
    parts: Option<Vec<StoredPart>>,
) -> Result<(), Refusal> {
    match (&request.transfer, parts) {
        (Transfer::Single { staging_key }, _) => place(blobs, request, staging_key).await,
        (Transfer::Multipart { multipart_id, part_size }, named) => {
            let parts = match named {
                Some(parts) => parts,
                None => match blobs.list_parts(&request.object_key, multipart_id).await {
                    Ok(parts) => parts,
                    Err(BlobError::NotFound) => return joined_before(blobs, request).await,
                    Err(error) => return Err(error.into()),
                },
            };
            let all = documents::parts(request.size, *part_size).map(|part| part.number);
            if !parts.iter().map(|part| part.number).eq(all) {
                return Err(mismatch("These are not all parts of the upload, in order."));
            }
            join(blobs, request, multipart_id, &parts).await
        }
    }
}

/// Checks the staged object, and copies it to its final key. Once it is there, nobody has a URL to change it.
async fn place(blobs: &Blobs, request: &UploadRequest, staging_key: &str) -> Result<(), Refusal> {
    let staged = match blobs.head(staging_key).await {
        Ok(staged) => staged,
        Err(BlobError::NotFound) => return placed_before(blobs, request).await,
        Err(error) => return Err(error.into()),
    };
    check(blobs, request, staging_key, &staged).await?;
    match blobs.copy(staging_key, &staged.etag, &request.object_key).await {
        Ok(()) => Ok(()),
        // Another confirmation has settled it meanwhile.
        Err(BlobError::NotFound) => placed_before(blobs, request).await,
        Err(BlobError::PreconditionFailed) => {
            Err(mismatch("The object was replaced meanwhile: confirm again."))
        }
        Err(error) => Err(error.into()),
    }
}

/// The copy may have happened in an earlier try that did not come to its end.
async fn placed_before(blobs: &Blobs, request: &UploadRequest) -> Result<(), Refusal> {
    match blobs.head(&request.object_key).await {
        Ok(placed) => check(blobs, request, &request.object_key, &placed).await,
        Err(BlobError::NotFound) => Err(mismatch("The bytes have not arrived yet.")),
        Err(error) => Err(error.into()),
    }
}

async fn check(blobs: &Blobs, request: &UploadRequest, key: &str, stored: &Stored) -> Result<(), Refusal> {
    if stored.size != request.size {
        return Err(Refusal::Rejected(RejectionReason::SizeMismatch));
    }
    let sha256 = match &stored.sha256 {
        Some(sha256) => sha256.clone(),
        // This store keeps no checksums.
        None => blobs.hash(key).await?.sha256,
    };
    match request.content_hash.sha256.open() {
        Some(announced) if *announced == sha256 => Ok(()),
        _ => Err(Refusal::Rejected(RejectionReason::ChecksumMismatch)),
    }
}

/// Joins the parts to the object under the final key.
async fn join(
    blobs: &Blobs,
    request: &UploadRequest,
    multipart_id: &str,
    parts: &[StoredPart],
) -> Result<(), Refusal> {
    match blobs.complete_multipart(&request.object_key, multipart_id, parts).await {
        Ok(()) => Ok(()),
        Err(BlobError::WrongParts | BlobError::PreconditionFailed) => {
            Err(mismatch("The parts that are stored are not those that were named."))
        }
        Err(BlobError::NotFound) => joined_before(blobs, request).await,
        Err(error) => Err(error.into()),
    }
}

/// The parts may have been joined in an earlier try that did not come to its end.
async fn joined_before(blobs: &Blobs, request: &UploadRequest) -> Result<(), Refusal> {
    match blobs.head(&request.object_key).await {
        Ok(joined) if joined.size == request.size => Ok(()),
        Ok(_) | Err(BlobError::NotFound) => Err(mismatch("The bytes have not arrived.")),
        Err(error) => Err(error.into()),
    }
}

fn mismatch(detail: &str) -> Refusal {
    Refusal::Answered(ApiError::UploadMismatch(detail.into()))
}
