use aggregates::DocumentCommand;

use super::change::Change;
use crate::error::ApiError;
use crate::http::done::Done;
use crate::http::extract::{Body, Empty};

/// To the trash, where it still counts against the quota.
#[utoipa::path(delete, path = "/documents/{id}", tag = "documents", params(Change),
    security(("access_token" = ["user", "admin"]), ("api_token" = ["write"])),
    responses((status = 204), (status = 410)))]
pub async fn trash(change: Change, _: Body<Empty>) -> Result<Done<()>, ApiError> {
    Ok(Done::no_content(change.run(&[], DocumentCommand::Trash).await?))
}
