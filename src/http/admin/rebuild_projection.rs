use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use http::StatusCode;
use projections::{Rebuild, Status};

use super::list_projections::Projection;
use crate::app::App;
use crate::error::ApiError;
use crate::http::extract::{Admin, Body, Empty, NoParams};

/// Has a projector build a read model anew, while the old rows go on serving.
#[utoipa::path(post, path = "/admin/projections/{name}/rebuild", tag = "operations",
    params(("name" = String, Path)), security(("access_token" = ["admin"])),
    responses((status = 202, body = Projection), (status = 404), (status = 409)))]
pub async fn rebuild(
    State(app): State<Arc<App>>,
    _: Admin,
    Path(name): Path<String>,
    _: NoParams,
    _: Body<Empty>,
) -> Result<(StatusCode, Json<Projection>), ApiError> {
    let pool = app.store.pool();
    let found = projections::all().into_iter().find(|projection| projection.name() == name);
    let projection = found.ok_or(ApiError::NotFound)?;
    if !Rebuild::begin(pool, projection.as_ref(), None).await? {
        return Err(ApiError::Conflict("This read model is being rebuilt already.".into()));
    }
    let status = Status::of(pool, &name).await?.ok_or(ApiError::NotFound)?;
    Ok((StatusCode::ACCEPTED, Json(status.into())))
}
