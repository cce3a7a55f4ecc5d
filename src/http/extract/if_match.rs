use std::convert::Infallible;
use std::fmt::Display;

use axum::extract::FromRequestParts;
use http::header::IF_MATCH;
use http::request::Parts;

use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::{IntoParams, PartialSchema};

use crate::error::ApiError;
use crate::http::done::etag;
use crate::http::openapi::header_parameter;

/// The `If-Match` header (RFC 9110 §13.1.1): do it only if the resource is still at this version.
pub struct IfMatch(Option<String>);

impl<S: Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let values: Vec<_> =
            parts.headers.get_all(IF_MATCH).iter().filter_map(|value| value.to_str().ok()).collect();
        Ok(Self((!values.is_empty()).then(|| values.join(","))))
    }
}

impl IfMatch {
    /// Refuses if the header is there and does not name `version`.
    pub fn check(&self, version: impl Display) -> Result<(), ApiError> {
        let current = etag(version);
        match &self.0 {
            Some(tags) if !tags.split(',').map(str::trim).any(|tag| tag == "*" || tag == current) => {
                Err(ApiError::PreconditionFailed)
            }
            _ => Ok(()),
        }
    }
}

impl IntoParams for IfMatch {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![header_parameter(
            "If-Match",
            "Only if it is still at the version of this ETag",
            String::schema(),
        )]
    }
}
