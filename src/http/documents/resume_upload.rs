use aggregates::document::{Stage, Transfer};
use aggregates::{DocumentCommand, DocumentError};
use axum::Json;
use serde::Serialize;
use utoipa::ToSchema;

use super::change::Change;
use super::upload::Upload;
use crate::blobs::BlobError;
use crate::error::ApiError;
use crate::http::extract::{Body, Empty};

/// The upload again.
#[derive(Debug, Serialize, ToSchema)]
pub struct Resumed {
    upload: Upload,
}

/// Fresh URLs for an upload that has not expired, and the parts of it that are stored.
#[utoipa::path(post, path = "/documents/{id}/upload", tag = "documents", params(Change),
    security(("access_token" = ["user", "admin"]), ("api_token" = ["write"])),
    responses((status = 200, body = Resumed), (status = 409), (status = 410)))]
pub async fn resume_upload(change: Change, _: Body<Empty>) -> Result<Json<Resumed>, ApiError> {
    let document = change.document().await?;
    let (app, now) = (&change.app, change.app.clock().now());
    // An upload can be resumed as long as it could be given up, and has time left.
    document.decide(DocumentCommand::CancelUpload)?;
    let request = document.owned_by(change.member.user_id).ok_or(ApiError::NotFound)?;
    match document.stage() {
        Stage::Pending if now < request.expires_at => {}
        Stage::Rejected => return Err(DocumentError::Rejected.into()),
        Stage::Cancelled => return Err(DocumentError::Cancelled.into()),
        _ => return Err(DocumentError::Expired.into()),
    }
    let stored = match &request.transfer {
        Transfer::Single { .. } => Vec::new(),
        Transfer::Multipart { multipart_id, .. } => {
            match app.blobs.list_parts(&request.object_key, multipart_id).await {
                Ok(parts) => parts,
                Err(BlobError::NotFound) => {
                    return Err(ApiError::Conflict(
                        "All parts are joined already: confirm the upload.".into(),
                    ));
                }
                Err(error) => return Err(error.into()),
            }
        }
    };
    Ok(Json(Resumed { upload: Upload::of(request, &app.blobs, now, stored).await? }))
}
