use aggregates::document::{RejectionReason, Transfer, UploadRequest};
use aggregates::{DocumentCommand, DocumentError};
use serde::Deserialize;
use utoipa::ToSchema;

use super::change::Change;
use super::document::{Document, find_after};
use crate::app::App;
use crate::blobs::{BlobError, Stored, StoredPart};
use crate::documents::parts;
use crate::error::ApiError;
use crate::http::done::{Done, Versioned};
use crate::http::extract::Body;
use projections::document_listing::Status;

/// The parts of a multipart upload; nothing for a single PUT.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Confirmation {
    parts: Option<Vec<ConfirmedPart>>,
}

/// A part and the entity tag that its PUT was answered with.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfirmedPart {
    number: u16,
    etag: String,
}

/// The bytes are stored. A single PUT is checked at once; a multipart upload is hashed first, and answered with 202.
#[utoipa::path(post, path = "/documents/{id}/confirm", tag = "documents", params(("id" = uuid::Uuid, Path)),
    security(("access_token" = ["user", "admin"])), request_body = Confirmation,
    responses((status = 200, body = Document), (status = 202, body = Document),
              (status = "4XX", body = crate::error::Problem)))]
pub async fn confirm_upload(
    change: Change,
    body: Body<Confirmation>,
) -> Result<Done<Versioned<Document>>, ApiError> {
    let (app, owner, id) = (change.app.clone(), change.member.user_id, change.id);
    let document = change.document().await?;
    let request = document.owned_by(owner).ok_or(ApiError::NotFound)?;
    let now = app.clock().now();
    let command = match request.transfer {
        Transfer::Single { .. } => DocumentCommand::CompleteUpload { now },
        Transfer::Multipart { .. } => DocumentCommand::BeginVerification { now },
    };
    // Nothing to decide: confirmed before. A refusal needs no look at the object store either.
    let confirmed_before = document.decide(command.clone())?.is_empty();
    let outcome = match &request.transfer {
        _ if confirmed_before => Ok(()),
        Transfer::Single { staging_key } => place(&app, request, staging_key).await,
        Transfer::Multipart { multipart_id, part_size } => {
            let listed = body.value.parts.ok_or_else(|| {
                ApiError::field("parts", "missing", "A multipart upload is confirmed with its parts.")
            })?;
            join(&app, request, multipart_id, listed_parts(listed, request.size, *part_size)?).await
        }
    };
    match outcome {
        Ok(()) => {}
        Err(Refusal::Rejected(reason)) => {
            change.run(&body.raw, DocumentCommand::RejectUpload { reason }).await?;
            return Err(DocumentError::Rejected.into());
        }
        Err(Refusal::Answered(error)) => return Err(error),
    }
    let position = change.run(&body.raw, command).await?;
    let (status, document) = find_after(&app, owner, id, position).await?;
    Ok(match status {
        Status::Verifying => Done::accepted(position, document),
        _ => Done::ok(position, document),
    })
}

/// Why an upload is not confirmed: what is stored is not what was announced, or anything that changes nothing.
enum Refusal {
    Rejected(RejectionReason),
    Answered(ApiError),
}

impl From<BlobError> for Refusal {
    fn from(error: BlobError) -> Self {
        Self::Answered(error.into())
    }
}

/// Checks the staged object, and copies it to its final key. Once it is there, nobody has a URL to change it.
async fn place(app: &App, request: &UploadRequest, staging_key: &str) -> Result<(), Refusal> {
    let staged = match app.blobs.head(staging_key).await {
        Ok(staged) => staged,
        Err(BlobError::NotFound) => return placed_before(app, request).await,
        Err(error) => return Err(error.into()),
    };
    check(app, request, staging_key, &staged).await?;
    match app.blobs.copy(staging_key, &staged.etag, &request.object_key).await {
        Ok(()) => Ok(()),
        // Another confirmation has settled it meanwhile.
        Err(BlobError::NotFound) => placed_before(app, request).await,
        Err(BlobError::PreconditionFailed) => Err(mismatch("The object was replaced meanwhile: confirm again.")),
        Err(error) => Err(error.into()),
    }
}

/// The copy may have happened in an earlier try that did not come to its end.
async fn placed_before(app: &App, request: &UploadRequest) -> Result<(), Refusal> {
    match app.blobs.head(&request.object_key).await {
        Ok(placed) => check(app, request, &request.object_key, &placed).await,
        Err(BlobError::NotFound) => Err(mismatch("The bytes have not arrived yet.")),
        Err(error) => Err(error.into()),
    }
}

async fn check(app: &App, request: &UploadRequest, key: &str, stored: &Stored) -> Result<(), Refusal> {
    if stored.size != request.size {
        return Err(Refusal::Rejected(RejectionReason::SizeMismatch));
    }
    let sha256 = match &stored.sha256 {
        Some(sha256) => sha256.clone(),
        // This store keeps no checksums.
        None => app.blobs.hash(key).await?.sha256,
    };
    match request.content_hash.sha256.open() {
        Some(announced) if *announced == sha256 => Ok(()),
        _ => Err(Refusal::Rejected(RejectionReason::ChecksumMismatch)),
    }
}

/// The parts as the object store wants them: all of them, in order.
fn listed_parts(listed: Vec<ConfirmedPart>, size: u64, part_size: u64) -> Result<Vec<StoredPart>, ApiError> {
    if !listed.iter().map(|part| part.number).eq(parts(size, part_size).map(|part| part.number)) {
        return Err(ApiError::UploadMismatch("These are not all parts of the upload, in order.".into()));
    }
    let stored = |ConfirmedPart { number, etag }| StoredPart { number, etag: format!("\"{}\"", etag.trim_matches('"')) };
    Ok(listed.into_iter().map(stored).collect())
}

async fn join(
    app: &App,
    request: &UploadRequest,
    multipart_id: &str,
    parts: Vec<StoredPart>,
) -> Result<(), Refusal> {
    match app.blobs.complete_multipart(&request.object_key, multipart_id, &parts).await {
        Ok(()) => Ok(()),
        Err(BlobError::WrongParts | BlobError::PreconditionFailed) => {
            Err(mismatch("The parts that are stored are not those that were named."))
        }
        // They may have been joined in an earlier try that did not come to its end.
        Err(BlobError::NotFound) => match app.blobs.head(&request.object_key).await {
            Ok(joined) if joined.size == request.size => Ok(()),
            Ok(_) | Err(BlobError::NotFound) => Err(mismatch("The bytes have not arrived.")),
            Err(error) => Err(error.into()),
        },
        Err(error) => Err(error.into()),
    }
}

fn mismatch(detail: &str) -> Refusal {
    Refusal::Answered(ApiError::UploadMismatch(detail.into()))
}
