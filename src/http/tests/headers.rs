use http::StatusCode;
use http::header::HOST;
use serde_json::json;
use sqlx::PgPool;

use super::{assert_problem, ours, request, send};
use crate::fixture::Vault;
use crate::http::forms::FILES;

/// W04
#[sqlx::test(migrations = "./migrations")]
async fn every_response_keeps_browsers_in_check(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let requests = [
        ours("GET", "/healthz"),
        ours("GET", "/api/v1/me"),
        ours("GET", "/nothing"),
        ours("DELETE", "/api/v1/setup"),
        ours("OPTIONS", "/api/v1/setup"),
        request("GET", "/api/v1/setup").header(HOST, "evil.example"),
        ours("GET", "/setup"),
        ours("GET", "/setup.js"),
    ];
    for request in requests {
        let answer = send(&vault, request, "").await;
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
            ("cache-control", "no-store"),
        ] {
            assert_eq!(answer.headers[name], value, "{:?}", answer.status);
        }
        let policy = answer.headers["content-security-policy"].to_str().unwrap();
        for directive in ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'"] {
            assert!(policy.contains(directive), "{policy}");
        }
        assert!(!answer.headers.contains_key("strict-transport-security"), "this vault is on http");
    }
}

/// W04; and looking at a form uses nothing up: it is a file.
#[sqlx::test(migrations = "./migrations")]
async fn the_forms_run_nothing_inline(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    for (path, content_type, content) in FILES {
        for inline in ["<style", "onclick", "<script>", "innerHTML", "http:", "https:"] {
            assert!(!content.contains(inline), "{path}: {inline}");
        }
        let answer = send(&vault, ours("GET", path), "").await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        assert_eq!(answer.headers["content-type"], content_type, "{path}");
        let policy = answer.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("script-src 'self'") && !policy.contains("unsafe"), "{policy}");
    }
    for page in ["/setup", "/verify-email", "/reset-password", "/confirm-email"] {
        assert!(FILES.iter().any(|(path, content_type, _)| *path == page && content_type.contains("html")));
    }
}

/// A18
#[sqlx::test(migrations = "./migrations")]
async fn only_its_own_hosts_are_answered_for(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    for host in ["127.0.0.1:8080", "localhost:8080", "[::1]:8080", "LOCALHOST:8080"] {
        let answer = send(&vault, request("GET", "/api/v1/setup").header(HOST, host), "").await;
        assert_eq!(answer.status, StatusCode::OK, "{host}");
    }
    for host in
        ["evil.example", "127.0.0.1", "127.0.0.1:8081", "127.0.0.1:8080.evil.example", "a@127.0.0.1:8080", ""]
    {
        let answer = send(&vault, request("GET", "/api/v1/setup").header(HOST, host), "").await;
        assert_problem(&answer, StatusCode::MISDIRECTED_REQUEST, "misdirected");
    }
    let absolute = request("GET", "http://evil.example/api/v1/setup").header(HOST, "127.0.0.1:8080");
    assert_problem(&send(&vault, absolute, "").await, StatusCode::MISDIRECTED_REQUEST, "misdirected");
    for twice in [request("GET", "/api/v1/setup"), ours("GET", "/api/v1/setup").header(HOST, "evil.example")]
    {
        assert_problem(&send(&vault, twice, "").await, StatusCode::BAD_REQUEST, "bad-request");
    }
    for path in ["/healthz", "/readyz"] {
        let probe = request("GET", path).header(HOST, "10.0.0.7");
        assert_eq!(send(&vault, probe, "").await.status, StatusCode::OK);
    }
}

#[sqlx::test(migrations = "./migrations")]
async fn a_harmless_request_id_is_kept(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let id = async |given: &str| {
        let answer = send(&vault, ours("GET", "/healthz").header("x-request-id", given), "").await;
        answer.headers["x-request-id"].to_str().unwrap().to_owned()
    };
    for kept in ["a", "client-7.retry_2", &"x".repeat(128)] {
        assert_eq!(id(kept).await, kept);
    }
    for replaced in ["", "with space", "\"quoted\"", &"x".repeat(129)] {
        assert!(uuid::Uuid::parse_str(&id(replaced).await).is_ok(), "{replaced}");
    }
}

/// W03
#[sqlx::test(migrations = "./migrations")]
async fn foreign_origins_may_not_read(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let allowed = async |origin: &str| {
        let preflight = ours("OPTIONS", "/api/v1/documents")
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "authorization,content-type,idempotency-key");
        let answer = send(&vault, preflight, "").await;
        answer.headers.get("access-control-allow-origin").map(|value| value.to_str().unwrap().to_owned())
    };
    assert_eq!(allowed("http://127.0.0.1:8080").await.as_deref(), Some("http://127.0.0.1:8080"));
    for foreign in
        ["null", "https://evil.example", "http://127.0.0.1:8080.evil.example", "http://127.0.0.1:80801"]
    {
        assert_eq!(allowed(foreign).await, None, "{foreign}");
    }
}

#[sqlx::test(migrations = "./migrations")]
async fn the_document_names_every_route_and_its_roles(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let answer = send(&vault, ours("GET", "/api/openapi.json"), "").await;
    assert_eq!(answer.headers["content-type"], "application/json");
    let operation = |path: &str, method: &str| answer.body["paths"][path][method].clone();
    assert_eq!(
        operation("/api/v1/me", "get")["security"],
        json!([{ "access_token": ["user", "admin", "auditor"] }, { "api_token": ["read"] }])
    );
    let public = [("/api/v1/auth/login", "post"), ("/api/v1/setup", "get"), ("/healthz", "get")];
    for (path, method) in public {
        assert!(
            operation(path, method).is_object() && operation(path, method)["security"].is_null(),
            "{path}"
        );
    }
}
