use std::sync::Arc;

use aggregates::access::RevocationReason;
use axum::extract::State;
use axum::response::Response;

use super::cookie::RefreshCookie;
use super::signed_in::{SignedIn, signed_in};
use crate::app::App;
use crate::auth::refresh::{self, Refreshed};
use crate::auth::session;
use crate::error::ApiError;
use crate::http::extract::{Body, Client, Empty, NoParams};

/// Goes on with the session of the refresh cookie, which is replaced. An old one that comes back ends the session.
#[utoipa::path(post, path = "/auth/refresh", tag = "accounts",
    responses((status = 200, body = SignedIn, headers(("Set-Cookie" = String, description = "The refresh token"))), (status = 401), (status = 403)))]
pub async fn refresh(
    State(app): State<Arc<App>>,
    client: Client,
    RefreshCookie(token): RefreshCookie,
    _: NoParams,
    _: Body<Empty>,
) -> Result<Response, ApiError> {
    let token = token.ok_or(ApiError::Unauthenticated)?;
    match refresh::refresh(&app, token, client.user_agent.as_deref(), client.ip).await? {
        Refreshed::Live { session, successor } => signed_in(&app, session, successor, None).await,
        Refreshed::Ended => Err(ApiError::Unauthenticated),
        Refreshed::Reused { user_id } => {
            let context = client.context(user_id, app.clock());
            session::end(&app, context, token.session_id, RevocationReason::TokenReused).await?;
            Err(ApiError::Unauthenticated)
        }
    }
}
