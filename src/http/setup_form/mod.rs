//! The form behind the setup link: three static files, nothing from anywhere else. The link carries its token in the
//! fragment, which browsers keep to themselves: it never reaches a log.

use std::future::ready;

use axum::Router;
use axum::routing::get;
use http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};

/// Only what this server itself serves, and only what a page of ours needs.
pub(super) const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
                      require-trusted-types-for 'script'";

pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    let page = [(CONTENT_TYPE, "text/html; charset=utf-8"), (CONTENT_SECURITY_POLICY, POLICY)];
    let script = [(CONTENT_TYPE, "text/javascript; charset=utf-8")];
    let style = [(CONTENT_TYPE, "text/css; charset=utf-8")];
    Router::new()
        .route("/setup", get(move || ready((page, include_str!("setup.html")))))
        .route("/setup.js", get(move || ready((script, include_str!("setup.js")))))
        .route("/setup.css", get(move || ready((style, include_str!("setup.css")))))
}
