//! The OpenAPI document for people to read: three static files, nothing from anywhere else.

use std::future::ready;

use axum::Router;
use axum::routing::get;
use http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};

use super::forms::POLICY;

pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    let page = [(CONTENT_TYPE, "text/html; charset=utf-8"), (CONTENT_SECURITY_POLICY, POLICY)];
    let script = [(CONTENT_TYPE, "text/javascript; charset=utf-8")];
    let style = [(CONTENT_TYPE, "text/css; charset=utf-8")];
    Router::new()
        .route("/api/docs", get(move || ready((page, include_str!("docs.html")))))
        .route("/api/docs.js", get(move || ready((script, include_str!("docs.js")))))
        .route("/api/docs.css", get(move || ready((style, include_str!("docs.css")))))
}
