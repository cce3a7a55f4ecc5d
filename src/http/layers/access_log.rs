//! One log line and one sample per request. Paths hold ids and queries hold what people search for, so only the
//! matched route is written down.

use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::Response;
use http::Method;
use metrics::histogram;
use tokio::time::Instant;
use tracing::Instrument;

use crate::http::extract::RequestId;

pub(super) async fn record(id: RequestId, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let method = known(request.method());
    let matched = request.extensions().get::<MatchedPath>();
    let route = matched.map_or("unmatched", MatchedPath::as_str).to_owned();
    let span = tracing::info_span!("request", request_id = id.text, correlation_id = %id.correlation_id);
    let response = next.run(request).instrument(span.clone()).await;

    let (status, took) = (response.status(), started.elapsed());
    span.in_scope(|| {
        let latency_ms = took.as_secs_f64() * 1000.0;
        tracing::info!(method, route, status = status.as_u16(), latency_ms, "answered");
    });
    histogram!("docuvault_http_request_seconds",
        "method" => method, "route" => route, "status" => status.as_u16().to_string())
    .record(took.as_secs_f64());
    response
}

/// Anybody can make methods up; each would be a time series of its own.
fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}
