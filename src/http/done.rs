//! Answers: of a carried-out command, which names its position; of a query, which names its version.

use std::fmt::Display;
use std::time::Duration;

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::header::ETAG;
use http::{HeaderValue, StatusCode};
use projections::Freshness;
use serde::Serialize;

/// A command was carried out. Before this leaves, the read models that serve requests are waited for, and the
/// position is told to the client (see [`super::layers`]).
pub struct Done<B> {
    status: StatusCode,
    position: Option<i64>,
    stale: Option<Vec<&'static str>>,
    body: B,
}

/// The last position that an answer's command appended, left with the response.
#[derive(Clone, Debug)]
pub(super) struct Position {
    pub(super) position: i64,
    /// What was still behind it when the body was read; `None`: the body tells nothing of read models.
    pub(super) stale: Option<Vec<&'static str>>,
}

/// How long an answer waits for read models.
pub(super) const FRESH_WITHIN: Duration = Duration::from_secs(2);

/// The position that a query names, for handlers that read what the layer does not wait for.
#[derive(Clone, Copy, Debug)]
pub struct MinPosition(pub(super) i64);

/// The read models in which an answer is stale, beside those that the layer knows.
#[derive(Clone, Debug, Default)]
pub struct Stale(pub(super) Vec<&'static str>);

impl MinPosition {
    /// Waits, as the layer does.
    pub async fn wait(self, freshness: &Freshness) -> Stale {
        Stale(freshness.wait(self.0, FRESH_WITHIN).await)
    }
}

/// JSON of a resource with its version as `ETag`.
pub struct Versioned<T>(pub String, pub T);

impl<B> Done<B> {
    /// 200
    pub const fn ok(position: Option<i64>, body: B) -> Self {
        Self { status: StatusCode::OK, position, stale: None, body }
    }

    /// 201
    pub const fn created(position: Option<i64>, body: B) -> Self {
        Self { status: StatusCode::CREATED, position, stale: None, body }
    }

    /// 202
    pub const fn accepted(position: Option<i64>, body: B) -> Self {
        Self { status: StatusCode::ACCEPTED, position, stale: None, body }
    }

    /// The body was read after a wait, while these were still behind: waiting again would make it look fresh.
    #[must_use]
    pub fn read_behind(self, stale: Vec<&'static str>) -> Self {
        Self { stale: Some(stale), ..self }
    }
}

impl Done<()> {
    /// 204
    pub const fn no_content(position: Option<i64>) -> Self {
        Self { status: StatusCode::NO_CONTENT, position, stale: None, body: () }
    }
}

impl<B: IntoResponse> IntoResponse for Done<B> {
    fn into_response(self) -> Response {
        let mut response = (self.status, self.body).into_response();
        if let Some(position) = self.position {
            response.extensions_mut().insert(Position { position, stale: self.stale });
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
