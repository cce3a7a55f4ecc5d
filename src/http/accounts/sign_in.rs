//! The last step of every login, whatever came before it.

use axum::Json;
use axum::response::{IntoResponse, Response};
use event_store::{Context, ExecuteError};
use serde::Serialize;
use utoipa::ToSchema;

use super::signed_in::signed_in;
use crate::app::App;
use crate::auth::credentials::Credentials;
use crate::auth::refresh::LiveSession;
use crate::auth::refresh_token::RefreshToken;
use crate::auth::second_factor::{self, Proof};
use crate::auth::session;
use crate::error::ApiError;
use crate::http::done::Done;
use crate::http::extract::Client;

/// The password is a temporary one: it opens nothing but its own change, within ten minutes.
#[derive(Serialize, ToSchema)]
pub struct NewPasswordNeeded {
    password_change_required: bool,
    change_token: String,
    /// When one of them was used
    #[serde(skip_serializing_if = "Option::is_none")]
    backup_codes_left: Option<u8>,
}

/// Starts a session of whoever has shown all that `credentials` ask for, unless a temporary password has to be changed first.
/// `proof` is used up by either.
pub(super) async fn sign_in(
    app: &App,
    context: Context,
    client: &Client,
    credentials: &Credentials,
    proof: Option<Proof>,
) -> Result<Response, ExecuteError<ApiError>> {
    if credentials.temporary_until.is_some() {
        let left = match proof {
            Some(proof) => second_factor::use_up(app, context, proof).await?,
            None => None,
        };
        return change_required(app, credentials, left).map_err(ExecuteError::Refused);
    }
    let from = (client.user_agent.clone(), client.ip);
    let started = session::start(app, context, credentials, proof, from).await;
    let started = started.map_err(|error| match error {
        // The password, or whether there is a second factor, was changed while this login was being checked.
        ExecuteError::Precondition if !credentials.has_second_factor => {
            ExecuteError::Refused(ApiError::Unauthenticated)
        }
        error => error,
    })?;
    let session_id = started.value.session_id;
    let session = LiveSession {
        session_id,
        user_id: credentials.user_id,
        role: credentials.role,
        version: credentials.session_version,
    };
    let first = RefreshToken { session_id, generation: 0 };
    let answer = signed_in(app, session, first, started.value.backup_codes_left).await;
    Ok(Done::ok(started.position, answer.map_err(ExecuteError::Refused)?).into_response())
}

fn change_required(
    app: &App,
    credentials: &Credentials,
    backup_codes_left: Option<u8>,
) -> Result<Response, ApiError> {
    let token = app.tokens.password_change(credentials.user_id, credentials.session_version, app.clock());
    let change_token = token.map_err(anyhow::Error::from)?;
    let answer = NewPasswordNeeded { password_change_required: true, change_token, backup_codes_left };
    Ok(Json(answer).into_response())
}
