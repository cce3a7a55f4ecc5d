//! Is the process alive, and is what it needs there? Answered for any `Host`, and for nobody in particular.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::blobs::BlobError;
use crate::error::ApiError;
use crate::http::extract::NoParams;

/// How it stands.
#[derive(Serialize, ToSchema)]
pub(super) struct Health {
    status: &'static str,
}

/// The process answers.
#[utoipa::path(get, path = "/healthz", tag = "operations", responses((status = 200, body = Health)))]
pub(super) async fn live(_: NoParams) -> Json<Health> {
    Json(Health { status: "ok" })
}

/// Everything that requests need answers.
#[utoipa::path(get, path = "/readyz", tag = "operations",
    responses((status = 200, body = Health), (status = 503, body = crate::error::Problem)))]
pub(super) async fn ready(State(app): State<Arc<App>>, _: NoParams) -> Result<Json<Health>, ApiError> {
    let failed = |part: &str, error: String| ApiError::Unavailable(format!("{part}: {error}"));
    sqlx::query("SELECT 1")
        .execute(app.store.pool())
        .await
        .map_err(|error| failed("database", error.to_string()))?;
    // No such object: the store has looked.
    match app.blobs.head("readyz").await {
        Ok(_) | Err(BlobError::NotFound) => {}
        Err(error) => return Err(failed("object store", error.to_string())),
    }
    Ok(Json(Health { status: "ready" }))
}
