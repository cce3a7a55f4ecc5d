use std::sync::Arc;

use aggregates::DocumentId;
use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use projections::document_history::{self, HistoryRow};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::app::App;
use crate::error::ApiError;
use crate::http::extract::{Id, Member, Params};
use crate::http::page::{Page, Place, from_cursor, to_cursor};

/// One change of a document.
#[derive(Debug, Serialize, ToSchema)]
pub struct Entry {
    position: i64,
    at: DateTime<Utc>,
    /// `user:<id>`, `system:<name>` or `operator`
    actor: String,
    /// Such as `upload_completed`
    r#type: String,
    /// What is different since.
    changes: Value,
}

/// Every change of a document, the newest first; also of one that was deleted permanently.
#[utoipa::path(get, path = "/documents/{id}/history", tag = "documents",
    params(Id<DocumentId>, Place), security(("access_token" = ["user", "admin"]), ("api_token" = ["read"])),
    responses((status = 200, body = Page<Entry>)))]
pub async fn history(
    State(app): State<Arc<App>>,
    member: Member,
    Id(id): Id<DocumentId>,
    Params(place): Params<Place>,
) -> Result<Json<Page<Entry>>, ApiError> {
    let list = format!("history of {id}");
    let before: Option<i64> = from_cursor(member.lineage, &list, place.cursor.as_deref())?;
    let page = document_history::list(app.store.pool(), member.user_id, id, before, place.limit.0).await?;
    if page.rows.is_empty() && before.is_none() {
        return Err(ApiError::NotFound);
    }
    let next_cursor = to_cursor(member.lineage, &list, page.next)?;
    Ok(Json(Page { items: page.rows.into_iter().map(Entry::from).collect(), next_cursor }))
}

impl From<HistoryRow> for Entry {
    fn from(row: HistoryRow) -> Self {
        let HistoryRow { position, at, actor, r#type, changes } = row;
        Self { position, at, actor, r#type, changes }
    }
}
