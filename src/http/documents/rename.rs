use aggregates::{DocumentCommand, Name, Personal};
use serde::Deserialize;
use utoipa::ToSchema;

use super::change::Change;
use super::document::{Document, find, find_after};
use crate::error::ApiError;
use crate::http::done::{Done, Versioned};
use crate::http::extract::{Body, present};

/// What may change. A name cannot be taken away.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Changes {
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = String, required = false)]
    name: Option<String>,
}

/// Changes what is given and leaves the rest; nothing given is nothing changed.
#[utoipa::path(patch, path = "/documents/{id}", tag = "documents", params(Change),
    security(("access_token" = ["user", "admin"]), ("api_token" = ["write"])), request_body = Changes,
    responses((status = 200, body = Document), (status = 410)))]
pub async fn rename(change: Change, body: Body<Changes>) -> Result<Done<Versioned<Document>>, ApiError> {
    let (app, owner, id) = (change.app.clone(), change.member.user_id, change.id);
    let Some(name) = &body.value.name else {
        let (_, document) = find(&app, owner, id).await?;
        change.check(&document)?;
        return Ok(Done::ok(None, document));
    };
    let name = Name::parse(name).map_err(|error| ApiError::field("name", "invalid", error.to_string()))?;
    let command = DocumentCommand::Rename { name: Personal::new(owner, name) };
    let position = change.run(&body.raw, command).await?;
    let shown = find_after(&app, owner, id, position).await?;
    Ok(Done::ok(position, shown.document).read_behind(shown.stale))
}
