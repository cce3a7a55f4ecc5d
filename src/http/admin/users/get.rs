use std::sync::Arc;

use aggregates::UserId;
use axum::extract::State;

use super::person::{self, Person};
use crate::app::App;
use crate::error::ApiError;
use crate::http::done::Versioned;
use crate::http::extract::{Admin, Id, NoParams};

/// One account.
#[utoipa::path(get, path = "/admin/users/{id}", tag = "administration", params(Id<UserId>),
    security(("access_token" = ["admin"])), responses((status = 200, body = Person)))]
pub async fn get(
    State(app): State<Arc<App>>,
    _: Admin,
    Id(person): Id<UserId>,
    _: NoParams,
) -> Result<Versioned<Person>, ApiError> {
    person::find(&app, person).await
}
