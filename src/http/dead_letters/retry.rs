use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use uuid::Uuid;

use crate::app::App;
use crate::consumers::dead_letters::{self, DeadLetter};
use crate::error::ApiError;
use crate::http::extract::{Admin, Body, Empty, Id, NoParams};

/// Has the consumer try the event again, soon. The letter goes when that succeeds.
#[utoipa::path(post, path = "/admin/dead-letters/{id}/retry", tag = "administration",
    params(Id<Uuid>), security(("access_token" = ["admin"])),
    responses((status = 202, body = DeadLetter)))]
pub async fn retry(
    State(app): State<Arc<App>>,
    _: Admin,
    Id(id): Id<Uuid>,
    _: NoParams,
    _: Body<Empty>,
) -> Result<(StatusCode, Json<DeadLetter>), ApiError> {
    let letter = dead_letters::retry(app.store.pool(), id).await?.ok_or(ApiError::NotFound)?;
    Ok((StatusCode::ACCEPTED, Json(letter)))
}
