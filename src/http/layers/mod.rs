//! What happens to every request on its way in and to every response on its way out, outermost first.

mod access_log;
mod cors;
mod framing;
mod freshness;
mod host;
mod panic;
mod request_id;
mod security_headers;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use http::StatusCode;
use tower::ServiceBuilder;
use tower_http::timeout::TimeoutLayer;

pub(super) use freshness::read_your_writes;

use super::extract::MAX_BODY;
use crate::app::App;
use crate::error;

/// No request takes longer; a command that it sent runs on.
const REQUEST_TIME: Duration = Duration::from_secs(30);

/// Wraps every route, and the answers to unknown ones.
pub(super) fn wrap(routes: Router, app: &Arc<App>) -> Router {
    let http = &app.config.http;
    routes.layer(
        ServiceBuilder::new()
            .layer(from_fn_with_state(app.clock().clone(), request_id::assign))
            .layer(from_fn(access_log::record))
            .layer(from_fn_with_state(security_headers::of(&http.public_url), security_headers::add))
            .layer(cors::layer(http))
            .layer(from_fn(error::render))
            .layer(panic::layer())
            .layer(from_fn(framing::check))
            .layer(from_fn_with_state(host::Known::of(&http.public_url), host::check))
            .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, REQUEST_TIME))
            .layer(from_fn_with_state(app.clone(), freshness::wait))
            .layer(DefaultBodyLimit::max(MAX_BODY)),
    )
}
