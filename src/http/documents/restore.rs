use aggregates::DocumentCommand;

use super::change::Change;
use super::document::{Document, find_after};
use crate::error::ApiError;
use crate::http::done::{Done, Versioned};
use crate::http::extract::{Body, Empty};

/// Back from the trash.
#[utoipa::path(post, path = "/documents/{id}/restore", tag = "documents", params(Change),
    security(("access_token" = ["user", "admin"]), ("api_token" = ["write"])),
    responses((status = 200, body = Document), (status = 410)))]
pub async fn restore(change: Change, _: Body<Empty>) -> Result<Done<Versioned<Document>>, ApiError> {
    let (app, owner, id) = (change.app.clone(), change.member.user_id, change.id);
    let position = change.run(&[], DocumentCommand::Restore).await?;
    let shown = find_after(&app, owner, id, position).await?;
    Ok(Done::ok(position, shown.document).read_behind(shown.stale))
}
