use aggregates::{DocumentCommand, Name, Personal};
use serde::Deserialize;
use utoipa::ToSchema;

use super::change::Change;
use super::document::{Document, find_after};
use crate::error::ApiError;
use crate::http::done::{Done, Versioned};
use crate::http::extract::Body;

/// What may change.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Changes {
    name: Option<String>,
}

/// Changes what is given and leaves the rest.
#[utoipa::path(patch, path = "/documents/{id}", tag = "documents", params(("id" = uuid::Uuid, Path)),
    security(("access_token" = ["user", "admin"])), request_body = Changes,
    responses((status = 200, body = Document), (status = "4XX", body = crate::error::Problem)))]
pub async fn rename(change: Change, body: Body<Changes>) -> Result<Done<Versioned<Document>>, ApiError> {
    let (app, owner, id) = (change.app.clone(), change.member.user_id, change.id);
    let Some(name) = &body.value.name else {
        let (_, document) = super::document::find(&app, owner, id).await?;
        return Ok(Done::ok(None, document));
    };
    let name = Name::parse(name).map_err(|error| ApiError::field("name", "invalid", error.to_string()))?;
    let command = DocumentCommand::Rename { name: Personal::new(owner, name) };
    let position = change.run(&body.raw, command).await?;
    let (_, document) = find_after(&app, owner, id, position).await?;
    Ok(Done::ok(position, document))
}
