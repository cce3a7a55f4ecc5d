mod errors;
mod headers;
mod server;

use axum::body::Body;
use http::header::HOST;
use http::request::Builder;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;

use crate::fixture::{Answer, Vault};

fn request(method: &str, path: &str) -> Builder {
    Request::builder().method(method).uri(path)
}

/// To the right host.
fn ours(method: &str, path: &str) -> Builder {
    request(method, path).header(HOST, "127.0.0.1:8080")
}

async fn send(vault: &Vault, request: Builder, body: impl Into<Body>) -> Answer {
    let response = vault.router.clone().oneshot(request.body(body.into()).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Answer {
        status: parts.status,
        headers: parts.headers,
        body: serde_json::from_slice(&body).unwrap_or(Value::Null),
    }
}

/// The answer is a problem of this kind, in full form.
fn assert_problem(answer: &Answer, status: StatusCode, slug: &str) {
    let text = |headers: &HeaderMap, name| headers[name].to_str().unwrap().to_owned();
    assert_eq!((answer.status, &answer.body["type"]), (status, &Value::from(format!("/problems/{slug}"))));
    assert_eq!(text(&answer.headers, "content-type"), "application/problem+json");
    assert_eq!(answer.body["status"], status.as_u16());
    assert_eq!(answer.body["request_id"], text(&answer.headers, "x-request-id"));
    for member in ["title", "detail", "instance"] {
        assert!(
            answer.body[member].as_str().is_some_and(|text| !text.is_empty()),
            "{member}: {:?}",
            answer.body
        );
    }
}
