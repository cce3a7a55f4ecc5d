//! Problem details (RFC 9457): every response that is an error, wherever it arose, leaves in this form.

use std::sync::Arc;

use axum::Json;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use utoipa::ToSchema;

use super::{ApiError, FieldError};
use crate::http::extract::RequestId;

/// What `Retry-After` says when something is down: seconds.
const RETRY_AFTER_SECONDS: HeaderValue = HeaderValue::from_static("2");

/// The body of an error.
#[derive(Serialize, ToSchema)]
pub struct Problem {
    /// `/problems/<slug>`
    #[serde(rename = "type")]
    type_: String,
    title: &'static str,
    status: u16,
    detail: String,
    /// The path of the request.
    instance: String,
    request_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    errors: Option<Vec<FieldError>>,
    #[serde(flatten)]
    quota: Option<QuotaFigures>,
}

/// Of `quota-exceeded`, in bytes.
#[derive(Serialize, ToSchema)]
struct QuotaFigures {
    limit: u64,
    used: u64,
    reserved: u64,
    requested: u64,
}

/// Middleware that writes every error response as problem details, and logs those that are our own fault.
pub async fn render(id: RequestId, request: Request, next: Next) -> Response {
    let instance = request.uri().path().to_owned();
    let mut response = next.run(request).await;
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() {
        return response;
    }
    let error = response.extensions_mut().remove::<Arc<ApiError>>();
    let error = error.unwrap_or_else(|| Arc::new(ApiError::of_status(status)));
    log(&error);

    let body = Json(Problem::new(&error, instance, id)).into_response();
    let (mut parts, _) = response.into_parts();
    parts.status = error.status();
    parts.headers.remove(CONTENT_LENGTH);
    parts.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    match *error {
        ApiError::Unavailable(_) => drop(parts.headers.insert(RETRY_AFTER, RETRY_AFTER_SECONDS)),
        ApiError::RateLimited(pause) | ApiError::LockedOut(_, pause) => {
            // Rounded up: who comes when it says is let in.
            parts.headers.insert(RETRY_AFTER, HeaderValue::from(pause.as_secs() + 1));
        }
        ApiError::Unauthenticated => {
            parts.headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        _ => {}
    }
    Response::from_parts(parts, body.into_body())
}

fn log(error: &ApiError) {
    match error {
        ApiError::Internal(cause) => tracing::error!(cause = format!("{cause:#}"), "a request failed"),
        ApiError::Unavailable(cause) => tracing::warn!(cause, "a request was turned away"),
        _ => {}
    }
}

impl ApiError {
    /// The error that a status from below (the router, a timeout) stands for.
    fn of_status(status: StatusCode) -> Self {
        match status {
            StatusCode::NOT_FOUND => Self::NotFound,
            StatusCode::METHOD_NOT_ALLOWED => Self::MethodNotAllowed,
            StatusCode::PAYLOAD_TOO_LARGE => Self::PayloadTooLarge,
            StatusCode::UNSUPPORTED_MEDIA_TYPE => Self::UnsupportedMediaType,
            StatusCode::SERVICE_UNAVAILABLE => Self::Unavailable("the request took too long".into()),
            status if status.is_client_error() => Self::BadRequest("The request cannot be read.".into()),
            status => Self::Internal(anyhow::anyhow!("a layer answered {status}")),
        }
    }
}

impl Problem {
    fn new(error: &ApiError, instance: String, id: RequestId) -> Self {
        let (status, slug, title) = error.class();
        Self {
            type_: format!("/problems/{slug}"),
            title,
            status: status.as_u16(),
            detail: error.to_string(),
            instance,
            request_id: id.text,
            errors: match error {
                ApiError::Validation(errors) => Some(errors.clone()),
                _ => None,
            },
            quota: match *error {
                ApiError::QuotaExceeded { limit, used, reserved, requested } => {
                    Some(QuotaFigures { limit, used, reserved, requested })
                }
                _ => None,
            },
        }
    }
}
