//! Browsers may call from the public URL's origin and from those that the operator lists; no cookie goes with it.

use std::time::Duration;

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, ETAG, IF_MATCH, LOCATION, RETRY_AFTER};
use http::{HeaderName, HeaderValue, Method};
use tower_http::cors::CorsLayer;

use crate::config::HttpConfig;

/// How long a browser may remember an answer to its preflight.
const REMEMBER: Duration = Duration::from_mins(10);

pub(super) fn layer(config: &HttpConfig) -> CorsLayer {
    let public = config.public_url.origin().ascii_serialization();
    let origins = config.cors_origins.iter().chain([&public]);
    let named = HeaderName::from_static;
    CorsLayer::new()
        .allow_origin(origins.filter_map(|origin| HeaderValue::from_str(origin).ok()).collect::<Vec<_>>())
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        .allow_headers([
            ACCEPT,
            AUTHORIZATION,
            CONTENT_TYPE,
            IF_MATCH,
            named("docuvault-min-position"),
            named("idempotency-key"),
            named("x-docuvault-client"),
            named("x-request-id"),
        ])
        .expose_headers([
            ETAG,
            LOCATION,
            RETRY_AFTER,
            named("docuvault-position"),
            named("docuvault-stale"),
            named("x-request-id"),
        ])
        .max_age(REMEMBER)
}
