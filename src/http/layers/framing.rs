//! A body states its length before it comes. hyper refuses lengths that contradict each other, but takes chunks beside a
//! length and forgets the length: nobody between the client and us shall read that differently (attack W05).

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use http::header::{CONNECTION, TRANSFER_ENCODING};

use crate::error::ApiError;

pub(super) async fn check(request: Request, next: Next) -> Response {
    if !request.headers().contains_key(TRANSFER_ENCODING) {
        return next.run(request).await;
    }
    let reason = "A request body comes with Content-Length, without Transfer-Encoding.";
    let mut refusal = ApiError::BadRequest(reason.into()).into_response();
    refusal.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    refusal
}
