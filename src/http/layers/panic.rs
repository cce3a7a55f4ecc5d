//! A handler that panics fails its own request, and no other.

use std::any::Any;

use axum::response::{IntoResponse, Response};
use tower_http::catch_panic::CatchPanicLayer;

use crate::error::ApiError;

type Answer = fn(Box<dyn Any + Send>) -> Response;

pub(super) fn layer() -> CatchPanicLayer<Answer> {
    // What and where, the panic hook has told the log.
    CatchPanicLayer::custom(|_| ApiError::Internal(anyhow::anyhow!("a handler panicked")).into_response())
}
