use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use serde::de::{DeserializeOwned, IgnoredAny};

use super::serde_fields::field_error;
use crate::error::ApiError;

/// Bytes of a request body at most.
pub const MAX_BODY: usize = 64 * 1024;

/// A JSON object in the body; an absent body is `{}`. `T` denies unknown fields.
pub struct Body<T> {
    pub value: T,
    /// As it came, for the hash that an idempotency key is bound to.
    pub raw: Bytes,
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let is_json = is_json(request.headers());
        let raw =
            Bytes::from_request(request, state).await.map_err(|rejection| match rejection.status() {
                StatusCode::PAYLOAD_TOO_LARGE => ApiError::PayloadTooLarge,
                _ => ApiError::BadRequest("The request body ended early.".into()),
            })?;
        if raw.is_empty() {
            return Ok(Self { value: parse(b"{}")?, raw });
        }
        if !is_json {
            return Err(ApiError::UnsupportedMediaType);
        }
        Ok(Self { value: parse(&raw)?, raw })
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("application/json")
}

/// Broken JSON is told apart from JSON that holds the wrong things.
fn parse<T: DeserializeOwned>(raw: &[u8]) -> Result<T, ApiError> {
    let broken = |reason: String| ApiError::BadRequest(format!("The body is not JSON: {reason}."));
    let text = str::from_utf8(raw).map_err(|error| broken(error.to_string()))?;
    serde_json::from_str::<IgnoredAny>(text).map_err(|error| broken(error.to_string()))?;
    // serde would take an array for a struct.
    if !text.trim_start().starts_with('{') {
        return Err(ApiError::field("", "invalid", "The body is not a JSON object."));
    }
    let mut json = serde_json::Deserializer::from_str(text);
    // What is wrong now is a field: serde_json takes `null` in an enum's place for broken JSON, which this is not.
    serde_path_to_error::deserialize(&mut json)
        .map_err(|error| ApiError::Validation(vec![field_error(&error)]))
}
