use aggregates::DocumentCommand;

use super::change::Change;
use crate::error::ApiError;
use crate::http::done::Done;
use crate::http::extract::{Body, Empty};

/// For good: the bytes leave the quota now and the object store soon after.
#[utoipa::path(delete, path = "/documents/{id}/permanently", tag = "documents",
    params(Change), security(("access_token" = ["user", "admin"]), ("api_token" = ["write"])),
    responses((status = 204), (status = 410)))]
pub async fn purge(change: Change, _: Body<Empty>) -> Result<Done<()>, ApiError> {
    Ok(Done::no_content(change.run(&[], DocumentCommand::Purge).await?))
}
