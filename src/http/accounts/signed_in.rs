use axum::Json;
use axum::response::{IntoResponse, Response};
use http::header::SET_COOKIE;
use serde::Serialize;
use utoipa::ToSchema;

use super::cookie;
use super::user::{self, Account};
use crate::app::App;
use crate::auth::refresh::LiveSession;
use crate::auth::refresh_token::RefreshToken;
use crate::auth::session::idle_time;
use crate::auth::token::ACCESS_TIME;
use crate::error::ApiError;
use crate::http::done::Versioned;

/// What a login and a refresh answer; the refresh token goes into its cookie.
#[derive(Debug, Serialize, ToSchema)]
pub struct SignedIn {
    access_token: String,
    token_type: &'static str,
    /// Seconds.
    expires_in: i64,
    user: Account,
    /// When one of them was used
    #[serde(skip_serializing_if = "Option::is_none")]
    backup_codes_left: Option<u8>,
}

/// Writes the tokens of a session that goes on.
pub(super) async fn signed_in(
    app: &App,
    session: LiveSession,
    successor: RefreshToken,
    backup_codes_left: Option<u8>,
) -> Result<Response, ApiError> {
    let Versioned(_, user) = user::find(app, session.user_id).await?;
    let token = app.tokens.access(session.user_id, session.session_id, session.version, app.clock());
    let body = SignedIn {
        access_token: token.map_err(anyhow::Error::from)?,
        token_type: "Bearer",
        expires_in: ACCESS_TIME.num_seconds(),
        user,
        backup_codes_left,
    };
    let seconds = idle_time(session.role).num_seconds();
    let cookie = cookie::set(app, &app.refresh_tokens.write(successor), seconds)?;
    Ok(([(SET_COOKIE, cookie)], Json(body)).into_response())
}
