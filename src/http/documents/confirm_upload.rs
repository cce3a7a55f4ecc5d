use aggregates::document::Transfer;
use aggregates::{DocumentCommand, DocumentError};
use projections::document_listing::Status;
use serde::Deserialize;
use utoipa::ToSchema;

use super::arrival::{Refusal, arrive};
use super::change::Change;
use super::document::{Document, find_after};
use crate::blobs::StoredPart;
use crate::error::ApiError;
use crate::http::done::{Done, Versioned};
use crate::http::extract::Body;

/// Of a multipart upload: the parts that were stored. Without them, those that the object store has.
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
#[utoipa::path(post, path = "/documents/{id}/confirm", tag = "documents", params(Change),
    security(("access_token" = ["user", "admin"]), ("api_token" = ["write"])), request_body = Confirmation,
    responses((status = 200, body = Document), (status = 202, body = Document), (status = 409), (status = 410)))]
pub async fn confirm_upload(
    change: Change,
    body: Body<Confirmation>,
) -> Result<Done<Versioned<Document>>, ApiError> {
    let (app, owner, id) = (change.app.clone(), change.member.user_id, change.id);
    let document = change.document().await?;
    let request = document.owned_by(owner).ok_or(ApiError::NotFound)?;
    if matches!(request.transfer, Transfer::Single { .. }) && body.value.parts.is_some() {
        return Err(ApiError::field("parts", "invalid", "This upload is a single PUT, it has no parts."));
    }
    let now = app.clock().now();
    let command = match request.transfer {
        Transfer::Single { .. } => DocumentCommand::CompleteUpload { now },
        Transfer::Multipart { .. } => DocumentCommand::BeginVerification { now },
    };
    // What was confirmed before, or is refused anyway, needs no look at the object store.
    if !document.decide(command.clone())?.is_empty() {
        let parts = body.value.parts.map(|parts| parts.into_iter().map(StoredPart::from).collect());
        match arrive(&app.blobs, request, parts).await {
            Ok(()) => {}
            Err(Refusal::Rejected(reason)) => {
                let position = change.run(&body.raw, DocumentCommand::RejectUpload { reason }).await?;
                find_after(&app, owner, id, position).await?;
                return Err(DocumentError::Rejected.into());
            }
            Err(Refusal::Answered(error)) => return Err(error),
        }
    }
    let position = change.run(&body.raw, command).await?;
    let shown = find_after(&app, owner, id, position).await?;
    let done = match shown.status {
        Status::Verifying => Done::accepted(position, shown.document),
        _ => Done::ok(position, shown.document),
    };
    Ok(done.read_behind(shown.stale))
}

/// Clients leave out the quotes of an entity tag, or keep them.
impl From<ConfirmedPart> for StoredPart {
    fn from(ConfirmedPart { number, etag }: ConfirmedPart) -> Self {
        Self { number, etag: format!("\"{}\"", etag.trim_matches('"')) }
    }
}
