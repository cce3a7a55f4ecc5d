//! Answers: of a carried-out command, which names its position; of a query, which names its version.

use std::fmt::Display;

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::header::ETAG;
use http::{HeaderValue, StatusCode};
use serde::Serialize;

/// A command was carried out. Before this leaves, the read models that serve requests are waited for, and the
/// position is told to the client (see [`super::layers`]).
pub struct Done<B> {
    status: StatusCode,
    position: Option<i64>,
    body: B,
}

/// The last position that an answer's command appended, left with the response.
#[derive(Clone, Copy, Debug)]
pub(super) struct Position(pub(super) i64);

/// JSON of a resource with its version as `ETag`.
pub struct Versioned<T>(pub String, pub T);

impl<B> Done<B> {
    /// 200
    pub const fn ok(position: Option<i64>, body: B) -> Self {
        Self { status: StatusCode::OK, position, body }
    }

    /// 201
    pub const fn created(position: Option<i64>, body: B) -> Self {
        Self { status: StatusCode::CREATED, position, body }
    }

    /// 202
    pub const fn accepted(position: Option<i64>, body: B) -> Self {
        Self { status: StatusCode::ACCEPTED, position, body }
    }
}

impl Done<()> {
    /// 204
    pub const fn no_content(position: Option<i64>) -> Self {
        Self { status: StatusCode::NO_CONTENT, position, body: () }
    }
}

impl<B: IntoResponse> IntoResponse for Done<B> {
    fn into_response(self) -> Response {
        let mut response = (self.status, self.body).into_response();
        if let Some(position) = self.position {
            response.extensions_mut().insert(Position(position));
        }
        response
    }
}

impl<T: Serialize> IntoResponse for Versioned<T> {
    fn into_response(self) -> Response {
        let Self(version, resource) = self;
        let mut response = Json(resource).into_response();
        if let Ok(tag) = HeaderValue::from_str(&etag(version)) {
            response.headers_mut().insert(ETAG, tag);
        }
        response
    }
}

/// A strong entity tag (RFC 9110 §8.8.3).
pub fn etag(version: impl Display) -> String {
    format!("\"{version}\"")
}
