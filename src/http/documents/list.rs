use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use projections::document_listing::{self, Cursor, ListQuery, Shelf, Sort};
use serde::Deserialize;

use super::document::Document;
use super::search::search;
use crate::app::App;
use crate::error::ApiError;
use crate::http::extract::{Member, Params};
use crate::http::page::{Limit, Page, from_cursor, to_cursor};

/// Which documents, in which order.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Filter {
    /// `active` (default), `trashed` or `pending`
    status: Option<String>,
    /// Words to find in names and texts, all of them; the last one may be unfinished. Case and accents do not matter
    q: Option<String>,
    /// `name`, `created_at`, `updated_at` or `size`; `-` in front for descending order; default `-created_at`, and with
    /// `q` the best first
    sort: Option<String>,
    /// 1 to 200, default 50
    #[serde(default)]
    #[param(value_type = Option<u16>)]
    limit: Limit,
    cursor: Option<String>,
}

/// The caller's documents, a page at a time.
#[utoipa::path(get, path = "/documents", tag = "documents", params(Filter),
    security(("access_token" = ["user", "admin"]), ("api_token" = ["read"])),
    responses((status = 200, body = Page<Document>)))]
pub async fn list(
    State(app): State<Arc<App>>,
    member: Member,
    Params(filter): Params<Filter>,
) -> Result<Json<Page<Document>>, ApiError> {
    let (q, sorted, cursor) = (filter.q.clone(), filter.sort.is_some(), filter.cursor.clone());
    let mut query = filter.of(&member)?;
    let list = format!("documents {} {q:?}", query.shelf.as_str());
    let place: Option<String> = from_cursor(member.lineage, &list, cursor.as_deref())?;
    if let Some(q) = q {
        let page = search(&app, &q, query, sorted, place.as_deref()).await?;
        let next_cursor = to_cursor(member.lineage, &list, page.next)?;
        return Ok(Json(Page { items: page.hits.into_iter().map(Document::from).collect(), next_cursor }));
    }
    let after = place.map(|place| Cursor::parse(&place, query.sort)).transpose();
    query.after = after.map_err(|error| ApiError::field("cursor", "invalid", error.to_string()))?;
    let page = document_listing::list(app.store.pool(), &query).await?;
    let next = page.next.map(|cursor| cursor.to_text()).transpose().map_err(anyhow::Error::from)?;
    let next_cursor = to_cursor(member.lineage, &list, next)?;
    Ok(Json(Page { items: page.rows.into_iter().map(Document::from).collect(), next_cursor }))
}

impl Filter {
    fn of(self, member: &Member) -> Result<ListQuery, ApiError> {
        let invalid =
            |field, error: &dyn std::fmt::Display| ApiError::field(field, "invalid", error.to_string());
        let sort: Option<Sort> =
            self.sort.map(|sort| sort.parse()).transpose().map_err(|error| invalid("sort", &error))?;
        let sort = sort.unwrap_or_default();
        let status: Option<Shelf> =
            self.status.map(|shelf| shelf.parse()).transpose().map_err(|error| invalid("status", &error))?;
        Ok(ListQuery {
            owner: member.user_id,
            shelf: status.unwrap_or_default(),
            sort,
            matching: None,
            after: None,
            limit: self.limit.0,
        })
    }
}
