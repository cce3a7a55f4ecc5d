use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::app::App;
use crate::auth::session::{self, Listed};
use crate::error::ApiError;
use crate::http::extract::{Params, Session};
use crate::http::page::{Page, Place, from_cursor, to_cursor};

/// A place where the caller is signed in.
#[derive(Serialize, ToSchema)]
pub struct OpenSession {
    id: Uuid,
    /// The login
    created_at: DateTime<Utc>,
    /// The login or the last refresh; the next two are of it
    last_used_at: DateTime<Utc>,
    user_agent: Option<String>,
    ip: Option<String>,
    /// The one that asks
    current: bool,
}

impl OpenSession {
    fn new(session: Listed, caller: &Session) -> Self {
        Self {
            id: session.session_id,
            created_at: session.created_at,
            last_used_at: session.last_used_at,
            user_agent: session.user_agent,
            ip: session.ip,
            current: session.session_id == caller.session_id.0,
        }
    }
}

/// Where the caller is signed in, the newest login first.
#[utoipa::path(get, path = "/sessions", tag = "accounts", params(Place),
    security(("access_token" = ["user", "admin", "auditor"])),
    responses((status = 200, body = Page<OpenSession>)))]
pub async fn list(
    State(app): State<Arc<App>>,
    caller: Session,
    Params(place): Params<Place>,
) -> Result<Json<Page<OpenSession>>, ApiError> {
    const LIST: &str = "sessions";
    let limit = usize::from(place.limit.0);
    let before: Option<Uuid> = from_cursor(caller.lineage, LIST, place.cursor.as_deref())?;
    let (pool, whose, now) = (app.store.pool(), (caller.user_id, caller.role), app.clock().now());
    let mut sessions = session::list(pool, whose, before, now, i64::from(place.limit.0) + 1).await?;
    let more = sessions.len() > limit;
    sessions.truncate(limit);
    let next = sessions.last().filter(|_| more).map(|session| session.session_id);
    let items = sessions.into_iter().map(|session| OpenSession::new(session, &caller)).collect();
    Ok(Json(Page { items, next_cursor: to_cursor(caller.lineage, LIST, next)? }))
}
