mod administration;
mod documented;
mod errors;
mod headers;
mod readiness;
mod server;

use axum::body::Body;
use http::header::HOST;
use http::request::Builder;
use http::{HeaderMap, Request, StatusCode};
use serde_json::Value;

use crate::fixture::{Answer, Vault, contract};

fn request(method: &str, path: &str) -> Builder {
    Request::builder().method(method).uri(path)
}

/// To the right host.
fn ours(method: &str, path: &str) -> Builder {
    request(method, path).header(HOST, "127.0.0.1:8080")
}

async fn send(vault: &Vault, request: Builder, body: impl Into<Body>) -> Answer {
    contract::send(&vault.router, request.body(body.into()).unwrap()).await
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
