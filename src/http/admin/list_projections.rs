use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use projections::Status;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::error::ApiError;
use crate::http::extract::{Admin, NoParams};
use crate::http::page::Page;

/// How a read model stands.
#[derive(Debug, Serialize, ToSchema)]
pub struct Projection {
    name: String,
    /// Of what serves.
    version: i32,
    /// Everything up to here is in it.
    position: i64,
    /// Events behind the head of the log.
    lag: i64,
    /// `running`, `stopped` (at an event that it cannot apply), `rebuilding` or `waiting` (behind, and nobody runs it)
    state: &'static str,
    /// Why it is stopped, and where.
    error: Option<String>,
    /// Of a rebuild that is under way.
    progress: Option<Progress>,
    skipped: Vec<Skipped>,
}

/// How far a rebuild is.
#[derive(Debug, Serialize, ToSchema)]
pub struct Progress {
    position: i64,
    head: i64,
    events_per_second: f64,
    seconds_left: Option<f64>,
    started_at: DateTime<Utc>,
}

/// An event that an operator had it pass over.
#[derive(Debug, Serialize, ToSchema)]
pub struct Skipped {
    position: i64,
    reason: String,
    by: String,
    at: DateTime<Utc>,
}

/// Every read model.
#[utoipa::path(get, path = "/admin/projections", tag = "operations", security(("access_token" = ["admin"])),
    responses((status = 200, body = Page<Projection>)))]
pub async fn list(
    State(app): State<Arc<App>>,
    _: Admin,
    _: NoParams,
) -> Result<Json<Page<Projection>>, ApiError> {
    let all = Status::all(app.store.pool()).await?;
    Ok(Json(Page { items: all.into_iter().map(Projection::from).collect(), next_cursor: None }))
}

impl From<Status> for Projection {
    fn from(status: Status) -> Self {
        Self {
            name: status.name,
            version: status.version,
            position: status.position,
            lag: status.lag,
            state: status.state.as_str(),
            error: status.error,
            progress: status.progress.map(|progress| Progress {
                position: progress.position,
                head: progress.head,
                events_per_second: progress.events_per_second,
                seconds_left: progress.seconds_left,
                started_at: progress.started_at,
            }),
            skipped: status
                .skipped
                .into_iter()
                .map(|skip| Skipped {
                    position: skip.position,
                    reason: skip.reason,
                    by: skip.skipped_by,
                    at: skip.skipped_at,
                })
                .collect(),
        }
    }
}
