use aggregates::DocumentCommand;

use super::change::Change;
use crate::error::ApiError;
use crate::http::done::Done;

/// To the trash, where it still counts against the quota.
#[utoipa::path(delete, path = "/documents/{id}", tag = "documents", params(("id" = uuid::Uuid, Path)),
    security(("access_token" = ["user", "admin"])),
    responses((status = 204), (status = "4XX", body = crate::error::Problem)))]
pub async fn trash(change: Change) -> Result<Done<()>, ApiError> {
    Ok(Done::no_content(change.run(&[], DocumentCommand::Trash).await?))
}
