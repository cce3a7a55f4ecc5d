use std::sync::Arc;

use axum::extract::State;

use super::document::{Document, find};
use crate::app::App;
use crate::error::ApiError;
use crate::http::done::Versioned;
use crate::http::extract::{Id, Member, NoParams};

/// One document.
#[utoipa::path(get, path = "/documents/{id}", tag = "documents", params(Id<aggregates::DocumentId>),
    security(("access_token" = ["user", "admin"]), ("api_token" = ["read"])),
    responses((status = 200, body = Document)))]
pub async fn get(
    State(app): State<Arc<App>>,
    member: Member,
    _: NoParams,
    Id(id): Id<aggregates::DocumentId>,
) -> Result<Versioned<Document>, ApiError> {
    let (_, document) = find(&app, member.user_id, id).await?;
    Ok(document)
}
