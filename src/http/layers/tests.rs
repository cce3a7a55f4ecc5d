use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::get;
use event_store::Clock;
use http::{Request, StatusCode};
use tower::ServiceExt;

use super::{access_log, error, panic, request_id};

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn router() -> Router {
    let boom = async || -> &'static str { panic!("hunter2") };
    Router::new()
        .route("/documents/{id}", get(async || "fine"))
        .route("/boom", get(boom))
        .layer(panic::layer())
        .layer(from_fn(error::render))
        .layer(from_fn(access_log::record))
        .layer(from_fn_with_state(Clock::system(), request_id::assign))
}

/// W07
#[tokio::test]
async fn the_log_holds_the_route_and_nothing_that_was_sent() {
    let lines = Lines::default();
    let writer = lines.clone();
    let log = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    let _guard = tracing::subscriber::set_default(log);
    let request = Request::get("/documents/canary%0d%0aforged%1b[31m?q=canary")
        .header("x-request-id", "canary\u{9b}")
        .header("user-agent", "canary")
        .header("authorization", "Bearer canary");
    let response = router().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(text.contains("route=\"/documents/{id}\"") && text.contains("status=200"), "{text}");
    assert!(!text.contains("canary") && !text.contains('\u{1b}'), "{text}");
}

#[tokio::test]
async fn a_panic_is_an_internal_error_that_tells_nothing() {
    let response = router().oneshot(Request::get("/boom").body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    let body = axum::body::to_bytes(response.into_body(), 10_000).await.unwrap();
    let text = String::from_utf8(body.to_vec()).unwrap();
    assert!(text.contains("/problems/internal") && !text.contains("hunter2"), "{text}");
}
