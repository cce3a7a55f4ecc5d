use std::sync::Arc;

use axum::extract::State;

use super::user::{self, Account};
use crate::app::App;
use crate::error::ApiError;
use crate::http::done::Versioned;
use crate::http::extract::{Caller, NoParams};

/// The caller's own account.
#[utoipa::path(get, path = "/me", tag = "accounts",
    security(("access_token" = ["user", "admin", "auditor"]), ("api_token" = ["read"])),
    responses((status = 200, body = Account)))]
pub async fn me(
    State(app): State<Arc<App>>,
    caller: Caller,
    _: NoParams,
) -> Result<Versioned<Account>, ApiError> {
    user::find(&app, caller.user_id).await
}
