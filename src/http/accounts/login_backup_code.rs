use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;

use super::login::LoginAnswer;
use super::second_step::{SecondStep, second_step};
use crate::app::App;
use crate::auth::second_factor::Accepts;
use crate::error::ApiError;
use crate::http::extract::{Body, Client, IdempotencyKey, NoParams};

/// Goes on with a login by a backup code, which is good for this once. The answer tells how many are left.
#[utoipa::path(post, path = "/auth/login/backup-code", tag = "accounts", params(IdempotencyKey), request_body = SecondStep,
    responses((status = 200, body = LoginAnswer, headers(("Set-Cookie" = String, description = "The refresh token"))), (status = 401), (status = 429)))]
pub async fn login_backup_code(
    State(app): State<Arc<App>>,
    client: Client,
    _: NoParams,
    key: IdempotencyKey,
    body: Body<SecondStep>,
) -> Result<Response, ApiError> {
    second_step(&app, &client, key, body, Accepts::BackupCode).await
}
