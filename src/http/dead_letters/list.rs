use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use uuid::Uuid;

use crate::app::App;
use crate::consumers::dead_letters::{self, DeadLetter};
use crate::error::ApiError;
use crate::http::extract::{Admin, Params};
use crate::http::page::{Page, Place, from_cursor, to_cursor};

/// Events that a consumer could not handle, the oldest failure first.
#[utoipa::path(get, path = "/admin/dead-letters", tag = "administration", params(Place),
    security(("access_token" = ["admin"])),
    responses((status = 200, body = Page<DeadLetter>)))]
pub async fn list(
    State(app): State<Arc<App>>,
    admin: Admin,
    Params(place): Params<Place>,
) -> Result<Json<Page<DeadLetter>>, ApiError> {
    const LIST: &str = "dead letters";
    let limit = usize::from(place.limit.0);
    let after: Option<Uuid> = from_cursor(admin.lineage, LIST, place.cursor.as_deref())?;
    let mut items = dead_letters::list(app.store.pool(), after, i64::from(place.limit.0) + 1).await?;
    let more = items.len() > limit;
    items.truncate(limit);
    let next = items.last().filter(|_| more).map(|letter| letter.id);
    Ok(Json(Page { items, next_cursor: to_cursor(admin.lineage, LIST, next)? }))
}
