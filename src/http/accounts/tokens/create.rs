use std::sync::Arc;

use aggregates::{Name, Scope};
use axum::Json;
use axum::extract::State;
use chrono::{DateTime, TimeDelta, Utc};
use event_store::Context;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::app::App;
use crate::auth::api_token::{self, Wish};
use crate::error::ApiError;
use crate::http::done::Done;
use crate::http::extract::{Body, IdempotencyKey, NoParams, Session, once_in_secret};

/// The owner decides how long a program goes on without them; for ever is not a time.
const LONGEST: TimeDelta = TimeDelta::days(3_653);

/// What a script needs.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateToken {
    /// What it is for
    name: String,
    /// `read` (GET) and `write` (everything else), one or both. Neither opens the administration, nor anything about the
    /// account itself but `GET /me`.
    #[schema(value_type = Vec<String>)]
    scopes: Vec<Scope>,
    /// Within ten years
    expires_at: DateTime<Utc>,
}

/// A new API token, shown this once.
#[derive(Serialize, ToSchema)]
pub struct NewToken {
    id: Uuid,
    /// `dvp_…`, for `Authorization: Bearer`
    token: String,
}

/// Makes an API token for a script of the caller's. A person has 100 at most.
#[utoipa::path(post, path = "/me/tokens", tag = "accounts", params(IdempotencyKey), request_body = CreateToken,
    security(("access_token" = ["user", "admin", "auditor"])),
    responses((status = 201, body = NewToken)))]
pub async fn create(
    State(app): State<Arc<App>>,
    caller: Session,
    _: NoParams,
    key: IdempotencyKey,
    body: Body<CreateToken>,
) -> Result<Done<Json<NewToken>>, ApiError> {
    let key = key.of(&caller, &body.raw, &app);
    let wish = body.value.check(&caller, app.clock().now())?;
    let created = once_in_secret(&app, key, |idempotency| {
        api_token::create(&app, Context { idempotency, ..caller.context(app.clock()) }, wish)
    });
    let created = created.await?;
    let token = NewToken { id: created.value.token_id.0, token: created.value.token.to_string() };
    Ok(Done::created(created.position, Json(token)))
}

impl CreateToken {
    fn check(self, caller: &Session, now: DateTime<Utc>) -> Result<Wish, ApiError> {
        let name = Name::parse(&self.name);
        let name = name.map_err(|error| ApiError::field("name", "invalid", error.to_string()))?;
        let mut scopes = self.scopes;
        if scopes.is_empty() {
            return Err(ApiError::field("scopes", "too_short", "A token without a scope opens nothing."));
        }
        scopes.sort_unstable();
        if scopes.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(ApiError::field("scopes", "invalid", "Name each scope once."));
        }
        if self.expires_at <= now || self.expires_at > now + LONGEST {
            let message = "A token expires in the future, within ten years.";
            return Err(ApiError::field("expires_at", "out_of_range", message));
        }
        Ok(Wish { name, scopes, expires_at: self.expires_at, session_id: caller.session_id })
    }
}
