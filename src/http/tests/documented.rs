//! The OpenAPI document and the routes agree.

use aggregates::Role;
use http::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::PgPool;

use super::{ours, send};
use crate::fixture::Vault;
use crate::fixture::contract::DOCUMENT;

const NOBODYS: &str = "01900000-0000-7000-8000-000000000000";

/// Every operation: method, path with an id, and what the document says of it.
fn operations() -> impl Iterator<Item = (Method, String, &'static Value)> {
    let paths = DOCUMENT["paths"].as_object().unwrap().iter();
    paths.flat_map(|(path, item)| {
        item.as_object().unwrap().iter().map(move |(method, operation)| {
            (method.to_uppercase().parse().unwrap(), path.replace("{id}", NOBODYS), operation)
        })
    })
}

fn names_parameter(operation: &Value, name: &str) -> bool {
    let mut parameters = operation["parameters"].as_array().into_iter().flatten();
    parameters.any(|parameter| parameter["name"] == name)
}

#[test]
fn errors_are_problems_and_every_answer_names_its_headers() {
    for (method, path, operation) in operations() {
        for (status, response) in operation["responses"].as_object().unwrap() {
            let name = format!("{method} {path} {status}");
            let code: u16 = status.parse().unwrap_or_else(|_| panic!("{name} is not a status"));
            assert!(!response["description"].as_str().unwrap().is_empty(), "{name}");
            assert!(response["headers"]["X-Request-Id"].is_object(), "{name}");
            if code >= 400 {
                let schema = &response["content"]["application/problem+json"]["schema"];
                assert_eq!(schema["$ref"], "#/components/schemas/Problem", "{name}");
            }
            assert_eq!(response["headers"]["Retry-After"].is_object(), [429, 503].contains(&code), "{name}");
        }
        assert_eq!(
            operation["security"].is_array(),
            operation["responses"]["401"].is_object() && operation["security"].is_array()
        );
    }
    let document = &DOCUMENT["paths"]["/api/v1/documents/{id}"];
    for (method, header) in [("get", "ETag"), ("patch", "ETag"), ("patch", "Docuvault-Position")] {
        assert!(document[method]["responses"]["200"]["headers"][header].is_object(), "{method} {header}");
    }
    let content = &DOCUMENT["paths"]["/api/v1/documents/{id}/content"]["get"]["responses"]["302"];
    assert!(content["headers"]["Location"].is_object());
}

/// A header is documented where, and only where, it is read.
#[sqlx::test(migrations = "./migrations")]
async fn the_headers_that_are_read_are_documented(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let user = vault.person(Role::Admin, 1 << 30).await;
    for (method, path, operation) in operations() {
        let Some(route) = path.strip_prefix("/api/v1") else { continue };
        for (header, bad) in [("Idempotency-Key", "not one word"), ("Docuvault-Min-Position", "-1")] {
            let answer = user.send(method.clone(), route, &[(&header.to_lowercase(), bad)], json!({})).await;
            let is_read = answer.body["errors"][0]["field"] == header;
            // A layer reads the position of every request; a command has no use for it.
            let is_documented = names_parameter(operation, header)
                || is_read && header != "Idempotency-Key" && method != Method::GET;
            assert_eq!(is_read, is_documented, "{method} {path} {header}: {:?}", answer.body);
        }
    }
}

/// W15 in small: what is not documented is not there, and what is documented is.
#[sqlx::test(migrations = "./migrations")]
async fn every_operation_is_there_and_refuses_unknown_parameters(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let user = vault.person(Role::Admin, 1 << 30).await;
    let mut seen = 0;
    for (method, path, _) in operations() {
        let answer = match path.strip_prefix("/api/v1") {
            Some(route) => {
                let headers = [("x-docuvault-client", "test")];
                user.send(method.clone(), &format!("{route}?nonsense=1"), &headers, json!({})).await
            }
            None => send(&vault, ours(method.as_str(), &format!("{path}?nonsense=1")), "").await,
        };
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{method} {path}");
        assert_eq!(answer.body["errors"][0]["field"], "nonsense", "{method} {path}: {:?}", answer.body);
        seen += 1;
    }
    assert!(seen >= 20, "{seen}");
}

/// The page shows the document that the server serves, under a policy that lets nothing else in.
#[sqlx::test(migrations = "./migrations")]
async fn the_document_is_there_for_people_too(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    assert_eq!(send(&vault, ours("GET", "/api/openapi.json"), "").await.body, *DOCUMENT);
    let page = include_str!("../api_docs/docs.html");
    assert!(!page.contains("<style") && !page.contains("<script>") && !page.contains("//"), "{page}");
    for (path, content_type) in
        [("/api/docs", "text/html"), ("/api/docs.js", "text/javascript"), ("/api/docs.css", "text/css")]
    {
        let answer = send(&vault, ours("GET", path), "").await;
        assert_eq!(answer.status, StatusCode::OK);
        assert!(answer.headers["content-type"].to_str().unwrap().starts_with(content_type), "{path}");
    }
    let policy = send(&vault, ours("GET", "/api/docs"), "").await.headers["content-security-policy"].clone();
    let policy = policy.to_str().unwrap();
    assert!(policy.contains("script-src 'self'") && !policy.contains("unsafe"), "{policy}");
}
