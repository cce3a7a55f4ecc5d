use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::app::App;
use crate::auth::api_token::{self, Listed};
use crate::error::ApiError;
use crate::http::extract::{Params, Session};
use crate::http::page::{Page, Place, from_cursor, to_cursor};

/// An API token, without the token.
#[derive(Serialize, ToSchema)]
pub struct ApiToken {
    id: Uuid,
    name: String,
    /// `read`, `write`
    scopes: Vec<String>,
    created_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    /// To the minute
    last_used_at: Option<DateTime<Utc>>,
}

impl From<Listed> for ApiToken {
    fn from(token: Listed) -> Self {
        Self {
            id: token.token_id,
            name: token.name,
            scopes: token.scopes,
            created_at: token.created_at,
            expires_at: token.expires_at,
            last_used_at: token.last_used_at,
        }
    }
}

/// The caller's API tokens, the newest first. Those that have expired are shown for another month.
#[utoipa::path(get, path = "/me/tokens", tag = "accounts", params(Place),
    security(("access_token" = ["user", "admin", "auditor"])),
    responses((status = 200, body = Page<ApiToken>)))]
pub async fn list(
    State(app): State<Arc<App>>,
    caller: Session,
    Params(place): Params<Place>,
) -> Result<Json<Page<ApiToken>>, ApiError> {
    const LIST: &str = "API tokens";
    let limit = usize::from(place.limit.0);
    let before: Option<Uuid> = from_cursor(caller.lineage, LIST, place.cursor.as_deref())?;
    let pool = app.store.pool();
    let mut tokens = api_token::list(pool, caller.user_id, before, i64::from(place.limit.0) + 1).await?;
    let more = tokens.len() > limit;
    tokens.truncate(limit);
    let next = tokens.last().filter(|_| more).map(|token| token.token_id);
    let items = tokens.into_iter().map(ApiToken::from).collect();
    Ok(Json(Page { items, next_cursor: to_cursor(caller.lineage, LIST, next)? }))
}
