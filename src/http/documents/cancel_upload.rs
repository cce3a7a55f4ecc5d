use aggregates::DocumentCommand;

use super::change::Change;
use crate::error::ApiError;
use crate::http::done::Done;
use crate::http::extract::{Body, Empty};

/// Gives a pending upload up; its reservation is released.
#[utoipa::path(delete, path = "/documents/{id}/upload", tag = "documents", params(Change),
    security(("access_token" = ["user", "admin"]), ("api_token" = ["write"])),
    responses((status = 204), (status = 410)))]
pub async fn cancel_upload(change: Change, _: Body<Empty>) -> Result<Done<()>, ApiError> {
    Ok(Done::no_content(change.run(&[], DocumentCommand::CancelUpload).await?))
}
