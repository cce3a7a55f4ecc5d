use axum::extract::FromRequestParts;
use http::request::Parts;
use serde::Deserialize;

use crate::error::ApiError;

/// A route that takes no query parameters refuses them all: a misspelt wish must not be carried out as another one.
pub struct NoParams;

/// The body of a request that asks for nothing more than its route says: absent, or `{}`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Empty {}

impl<S: Sync> FromRequestParts<S> for NoParams {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let query = parts.uri.query().unwrap_or_default();
        match url::form_urlencoded::parse(query.as_bytes()).next() {
            None => Ok(Self),
            Some((name, _)) => Err(ApiError::field(name, "unknown", "This route takes no query parameters.")),
        }
    }
}
