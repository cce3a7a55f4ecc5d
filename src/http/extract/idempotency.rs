use axum::extract::FromRequestParts;
use event_store::{Claim, CommandKey, ExecuteError, Executed};
use http::request::Parts;
use serde::de::DeserializeOwned;
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::{IntoParams, PartialSchema};
use uuid::Uuid;

use super::Caller;
use crate::app::App;
use crate::error::ApiError;
use crate::http::openapi::header_parameter;

const MAX_LENGTH: usize = 128;

/// The `Idempotency-Key` of a request, if it has one: 1–128 visible ASCII characters.
pub struct IdempotencyKey {
    key: Option<String>,
    /// Method and path: the key counts for these alone.
    route: String,
}

impl<S: Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let route = format!("{} {}", parts.method, parts.uri.path());
        let Some(value) = parts.headers.get("idempotency-key") else {
            return Ok(Self { key: None, route });
        };
        let bytes = value.as_bytes();
        if bytes.is_empty() || bytes.len() > MAX_LENGTH || !bytes.iter().all(u8::is_ascii_graphic) {
            let message = "An idempotency key is 1 to 128 visible ASCII characters.";
            return Err(ApiError::field("Idempotency-Key", "invalid", message));
        }
        Ok(Self { key: Some(String::from_utf8_lossy(bytes).into_owned()), route })
    }
}

impl IdempotencyKey {
    /// The key in its scope, bound to the body that came with it.
    pub fn of(self, caller: &Caller, body: &[u8], app: &App) -> Option<CommandKey> {
        self.of_actor(caller.user_id.0, body, app)
    }

    /// As [`Self::of`], where nobody is signed in: the key counts for what has this hash, an address or a token.
    pub fn of_hash(self, hash: &[u8], body: &[u8], app: &App) -> Option<CommandKey> {
        let scope = hash.first_chunk().copied().map(Uuid::from_bytes).unwrap_or_default();
        self.of_actor(scope, body, app)
    }

    /// As [`Self::of`], where it takes more than an access token to know who acts, or nobody is known yet.
    pub fn of_actor(self, actor_id: Uuid, body: &[u8], app: &App) -> Option<CommandKey> {
        Some(CommandKey { actor_id, key: self.key?, route: self.route, body_hash: app.body_hash(body) })
    }
}

impl IntoParams for IdempotencyKey {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let what = "1 to 128 visible ASCII characters: a repeat within 24 hours is carried out once, and answered alike";
        vec![header_parameter("Idempotency-Key", what, String::schema())]
    }
}

/// Carries a command out once for its key: a repeat gets the ids that the command answered with ([`event_store::Unit::answer`]).
pub async fn once<T, F, C, R>(app: &App, key: Option<CommandKey>, command: F) -> Result<Executed<T>, ApiError>
where
    T: DeserializeOwned,
    F: FnOnce(Option<CommandKey>) -> C,
    C: Future<Output = Result<Executed<T>, ExecuteError<R>>>,
    ApiError: From<ExecuteError<R>>,
{
    let Some(key) = key else { return Ok(command(None).await?) };
    let in_flight = match app.store.claim(&key).await? {
        Claim::Repeat { result, position } => return repeat(result, position),
        Claim::First(guard) => guard,
    };
    match command(Some(key.clone())).await {
        // Another process, or an earlier request whose client has gone, was first.
        Err(ExecuteError::Duplicate) => {}
        outcome => return Ok(outcome?),
    }
    drop(in_flight);
    match app.store.claim(&key).await? {
        Claim::Repeat { result, position } => repeat(result, position),
        Claim::First(_) => Err(ExecuteError::Duplicate.into()),
    }
}

/// As [`once`], for a command whose answer holds secrets: they are not kept, so a repeat is refused.
pub async fn once_in_secret<T, C>(
    app: &App,
    key: Option<CommandKey>,
    command: impl FnOnce(Option<CommandKey>) -> C,
) -> Result<T, ApiError>
where
    C: Future<Output = Result<T, ApiError>>,
{
    let Some(key) = key else { return command(None).await };
    match app.store.claim(&key).await? {
        Claim::First(_in_flight) => command(Some(key)).await,
        Claim::Repeat { .. } => Err(ApiError::Conflict(
            "This was done before under this idempotency key, and its answer was secret: it is not kept."
                .into(),
        )),
    }
}

fn repeat<T: DeserializeOwned>(result: serde_json::Value, position: i64) -> Result<Executed<T>, ApiError> {
    let value = serde_json::from_value(result).map_err(anyhow::Error::from)?;
    Ok(Executed { value, position: Some(position) })
}
