use std::sync::Arc;

use aggregates::access::RevocationReason;
use aggregates::{SessionId, UserId};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::SET_COOKIE;

use super::cookie::{self, RefreshCookie};
use crate::app::App;
use crate::auth::session;
use crate::error::ApiError;
use crate::http::done::Done;
use crate::http::extract::{Body, Client, Empty, NoParams, Session};

/// Ends the session of the refresh cookie, or else of the access token; its tokens die at once. Whoever is signed out
/// already stays so: that is no error.
#[utoipa::path(post, path = "/auth/logout", tag = "accounts",
    responses((status = 204, headers(("Set-Cookie" = String, description = "Clears the refresh token"))), (status = 403)))]
pub async fn logout(
    State(app): State<Arc<App>>,
    client: Client,
    RefreshCookie(token): RefreshCookie,
    caller: Result<Session, ApiError>,
    _: NoParams,
    _: Body<Empty>,
) -> Result<Response, ApiError> {
    let named = match token {
        Some(token) => owner(&app, token.session_id).await?.map(|user_id| (user_id, token.session_id)),
        None => match caller {
            Ok(caller) => Some((caller.user_id, caller.session_id)),
            Err(ApiError::Unauthenticated) => None,
            Err(error) => return Err(error),
        },
    };
    let position = match named {
        Some((user_id, session_id)) => {
            let context = client.context(user_id, app.clock());
            session::end(&app, context, session_id, RevocationReason::Logout).await?
        }
        // It has ended before, or was never begun.
        None => None,
    };
    let cleared = [(SET_COOKIE, cookie::set(&app, "", 0)?)];
    Ok((cleared, Done::no_content(position)).into_response())
}

async fn owner(app: &App, session_id: SessionId) -> Result<Option<UserId>, ApiError> {
    let owner = sqlx::query_scalar!("SELECT user_id FROM sessions WHERE session_id = $1", session_id.0);
    Ok(owner.fetch_optional(app.store.pool()).await?.map(UserId))
}
