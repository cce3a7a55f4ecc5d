//! What a client is told when a request fails: one error type, one mapping to RFC 9457 problem details.
//!
//! Every slug is a promise to clients and never changes. A failure of our own says nothing about its cause to the
//! client; the cause goes to the log, once, when the answer is rendered.

mod mapping;
mod problem;

use std::sync::Arc;
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

pub use problem::{Problem, render};

/// Why a request is not answered with what it asked for.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The request cannot be read at all: broken JSON, a broken header.
    #[error("{0}")]
    BadRequest(String),
    /// The request can be read, but these fields do not hold what they should.
    #[error("The request holds fields that are not as they should be.")]
    Validation(Vec<FieldError>),
    /// No credentials, or none that are valid. The reason is not told: it would help an attacker.
    #[error("Sign in first: there are no valid credentials in this request.")]
    Unauthenticated,
    #[error("{0}")]
    Forbidden(&'static str),
    /// The password was right, but the address of the account is still to be verified.
    #[error(
        "Verify your e-mail address first, by the link that was sent to it. Another one can be asked for."
    )]
    EmailNotVerified,
    /// A link that went out by mail is used up, expired, replaced by a newer one, or none of ours.
    #[error("This link is not good any more: ask for a new one.")]
    InvalidToken,
    /// Also said of what belongs to somebody else.
    #[error("There is nothing here, or it is not yours.")]
    NotFound,
    #[error("This address does not know this method.")]
    MethodNotAllowed,
    #[error("{0}")]
    Conflict(String),
    #[error("{0}")]
    UploadMismatch(String),
    #[error("{0}")]
    Gone(String),
    #[error("The resource has changed since the version that If-Match names.")]
    PreconditionFailed,
    #[error("A request body has at most 65536 bytes.")]
    PayloadTooLarge,
    /// Figures in bytes.
    #[error("{requested} bytes do not fit: {used} used and {reserved} reserved of {limit}.")]
    QuotaExceeded { limit: u64, used: u64, reserved: u64, requested: u64 },
    #[error("A request body is JSON: send it with `Content-Type: application/json`.")]
    UnsupportedMediaType,
    #[error("This server does not answer for the host that the request names.")]
    Misdirected,
    /// Too many failures, or mails asked for: nothing is tried before this time has passed.
    #[error("Too many attempts. Try again later.")]
    RateLimited(Duration),
    /// As many failures in a row as there may ever be: waiting does not help any more, and the detail says what does.
    #[error("{0}")]
    LockedOut(&'static str, Duration),
    /// Something that the request needs is down or overloaded. Trying again helps.
    #[error("The service is not available at the moment. Try again shortly.")]
    Unavailable(String),
    #[error("Something went wrong on the server. It has been logged under the request id.")]
    Internal(#[from] anyhow::Error),
}

/// What is wrong with one field of a body, a query parameter or a header.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// Path of the field, such as `parts[2].etag`.
    pub field: String,
    /// `missing`, `unknown`, `invalid`, `too_short`, `too_long` or `out_of_range`; of new passwords also `too_weak`,
    /// `common` or `breached`.
    pub code: &'static str,
    /// For people.
    pub message: String,
}

impl ApiError {
    /// One field is wrong.
    pub fn field(field: impl Into<String>, code: &'static str, message: impl Into<String>) -> Self {
        Self::Validation(vec![FieldError { field: field.into(), code, message: message.into() }])
    }

    pub const fn status(&self) -> StatusCode {
        self.class().0
    }

    /// Status, slug and title.
    const fn class(&self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::BadRequest(_) => (StatusCode::BAD_REQUEST, "bad-request", "Bad request"),
            Self::Validation(_) => (StatusCode::UNPROCESSABLE_ENTITY, "validation", "Invalid fields"),
            Self::Unauthenticated => (StatusCode::UNAUTHORIZED, "unauthenticated", "Not signed in"),
            Self::Forbidden(_) => (StatusCode::FORBIDDEN, "forbidden", "Not allowed"),
            Self::EmailNotVerified => (StatusCode::FORBIDDEN, "email-not-verified", "E-mail not verified"),
            Self::InvalidToken => (StatusCode::BAD_REQUEST, "invalid-token", "Invalid link"),
            Self::RateLimited(_) | Self::LockedOut(..) => {
                (StatusCode::TOO_MANY_REQUESTS, "rate-limited", "Too many attempts")
            }
            Self::NotFound => (StatusCode::NOT_FOUND, "not-found", "Not found"),
            Self::MethodNotAllowed => {
                (StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "Method not allowed")
            }
            Self::Conflict(_) => (StatusCode::CONFLICT, "conflict", "Conflict"),
            Self::UploadMismatch(_) => (StatusCode::CONFLICT, "upload-mismatch", "Upload mismatch"),
            Self::Gone(_) => (StatusCode::GONE, "gone", "Gone"),
            Self::PreconditionFailed => {
                (StatusCode::PRECONDITION_FAILED, "precondition-failed", "Precondition failed")
            }
            Self::PayloadTooLarge => {
                (StatusCode::PAYLOAD_TOO_LARGE, "payload-too-large", "Payload too large")
            }
            Self::QuotaExceeded { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "quota-exceeded", "Quota exceeded"),
            Self::UnsupportedMediaType => {
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", "Unsupported media type")
            }
            Self::Misdirected => (StatusCode::MISDIRECTED_REQUEST, "misdirected", "Misdirected request"),
            Self::Unavailable(_) => (StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Unavailable"),
            Self::Internal(_) => (StatusCode::INTERNAL_SERVER_ERROR, "internal", "Internal error"),
        }
    }
}

/// Leaves the error with the response; [`render`] writes it down, where the request's id is known.
impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        response.extensions_mut().insert(Arc::new(self));
        response
    }
}
