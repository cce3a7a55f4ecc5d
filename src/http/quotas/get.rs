use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use projections::quota_usage;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::error::ApiError;
use crate::http::extract::{Member, NoParams};

/// Figures in bytes.
#[derive(Debug, Serialize, ToSchema)]
pub struct Quota {
    limit: i64,
    /// By active and trashed documents.
    used: i64,
    /// By uploads under way.
    reserved: i64,
    /// What still fits.
    available: i64,
    /// How many documents there are, active or trashed.
    documents: i64,
    /// The part of `used` that deleting permanently would free.
    trashed_bytes: i64,
}

/// The caller's own quota.
#[utoipa::path(get, path = "/quota", tag = "quotas", security(("access_token" = ["user", "admin"]), ("api_token" = ["read"])),
    responses((status = 200, body = Quota)))]
pub async fn get(State(app): State<Arc<App>>, member: Member, _: NoParams) -> Result<Json<Quota>, ApiError> {
    let row = quota_usage::find(app.store.pool(), member.user_id).await?;
    // Every account has a quota from its first moment on.
    let row = row.ok_or_else(|| ApiError::Unavailable("quota_usage is behind the log".into()))?;
    Ok(Json(Quota {
        available: row.available(),
        limit: row.limit,
        used: row.used,
        reserved: row.reserved,
        documents: row.documents,
        trashed_bytes: row.trashed_bytes,
    }))
}
