use aggregates::Role;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde_json::json;
use sqlx::PgPool;

use super::{assert_problem, ours, send};
use crate::fixture::Vault;

#[sqlx::test(migrations = "./migrations")]
async fn unknown_routes_and_methods_are_problems(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    for path in ["/", "/api", "/api/v1", "/api/v1/nothing", "/api/v2/me", "/metrics", "/api/v1/setup/"] {
        let answer = send(&vault, ours("GET", path), "").await;
        assert_problem(&answer, StatusCode::NOT_FOUND, "not-found");
        assert_eq!(answer.body["instance"], path);
    }
    for (method, path, allowed) in [
        ("DELETE", "/api/v1/setup", ["GET", "POST"].as_slice()),
        ("TRACE", "/api/v1/me", &["GET"]),
        ("PROPFIND", "/api/v1/auth/login", &["POST"]),
        ("POST", "/healthz", &["GET"]),
        ("POST", "/api/openapi.json", &["GET"]),
    ] {
        let answer = send(&vault, ours(method, path), "").await;
        assert_problem(&answer, StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed");
        let told = answer.headers["allow"].to_str().unwrap();
        assert!(allowed.iter().all(|method| told.contains(method)), "{told}");
    }
}

#[sqlx::test(migrations = "./migrations")]
async fn bodies_are_refused_for_what_is_wrong_with_them(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let login = |content_type: &str| ours("POST", "/api/v1/auth/login").header(CONTENT_TYPE, content_type);
    let json = "application/json; charset=utf-8";
    for broken in ["{", "{\"email\": \"a\",}", "{\"x\": 1", "nonsense", "{\"email\": \"\u{0}\"}"] {
        assert_problem(&send(&vault, login(json), broken).await, StatusCode::BAD_REQUEST, "bad-request");
    }
    let not_text = vec![b'{', b'"', 0xff, b'"', b':', b'1', b'}'];
    assert_problem(&send(&vault, login(json), not_text).await, StatusCode::BAD_REQUEST, "bad-request");
    let deep = "[".repeat(10_000);
    assert_problem(&send(&vault, login(json), deep).await, StatusCode::BAD_REQUEST, "bad-request");
    let large = format!("{{\"email\": \"{}\"}}", "x".repeat(64 * 1024));
    assert_problem(
        &send(&vault, login(json), large).await,
        StatusCode::PAYLOAD_TOO_LARGE,
        "payload-too-large",
    );
    for other in ["text/plain", "application/x-www-form-urlencoded", "application/jsonp"] {
        let answer = send(&vault, login(other), "{}").await;
        assert_problem(&answer, StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type");
    }

    for (body, field, code) in [
        ("", "email", "missing"),
        ("{\"password\": \"x\"}", "email", "missing"),
        ("{\"email\": 7, \"password\": \"x\"}", "email", "invalid"),
        ("{\"email\": \"a\", \"password\": null}", "password", "invalid"),
        ("{\"email\": \"a\", \"password\": \"x\", \"admin\": true}", "admin", "unknown"),
        ("{\"email\": \"a\", \"email\": \"b\", \"password\": \"x\"}", "email", "invalid"),
        ("[\"a\", \"x\"]", "", "invalid"),
        ("null", "", "invalid"),
    ] {
        let answer = send(&vault, login(json), body).await;
        assert_problem(&answer, StatusCode::UNPROCESSABLE_ENTITY, "validation");
        let error = &answer.body["errors"][0];
        assert_eq!((&error["field"], &error["code"]), (&json!(field), &json!(code)), "{body}: {error}");
    }
}

#[sqlx::test(migrations = "./migrations")]
async fn parameters_and_headers_are_refused_by_name(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let user = vault.user().await;
    for (query, field) in [
        ("nonsense=1", "nonsense"),
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=ten", "limit"),
        ("limit=1&limit=2", "limit"),
        ("cursor=%00", "cursor"),
    ] {
        let answer = user.get(&format!("/documents?{query}")).await;
        assert_problem(&answer, StatusCode::UNPROCESSABLE_ENTITY, "validation");
        assert_eq!(answer.body["errors"][0]["field"], field, "{query}");
    }
    let long = "k".repeat(129);
    for key in ["", "with space", "ü", &long] {
        let answer =
            user.send(http::Method::POST, "/documents", &[("idempotency-key", key)], json!({})).await;
        assert_eq!(answer.body["errors"][0]["field"], "Idempotency-Key", "{key}");
    }
    for position in ["-1", "x", "9223372036854775808"] {
        let answer = user
            .send(http::Method::GET, "/quota", &[("docuvault-min-position", position)], json!(null))
            .await;
        assert_eq!(answer.body["errors"][0]["field"], "Docuvault-Min-Position", "{position}");
    }
    let answer = user.get("/documents/not-an-id").await;
    assert_problem(&answer, StatusCode::NOT_FOUND, "not-found");
}

#[sqlx::test(migrations = "./migrations")]
async fn who_is_not_signed_in_or_has_another_role_is_told_so(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let answer = send(&vault, ours("GET", "/api/v1/me"), "").await;
    assert_problem(&answer, StatusCode::UNAUTHORIZED, "unauthenticated");
    assert_eq!(answer.headers["www-authenticate"], "Bearer");
    for credentials in ["Bearer", "Bearer ", "Bearer x.y.z", "Basic YTpi", "ü"] {
        let answer = send(&vault, ours("GET", "/api/v1/me").header("authorization", credentials), "").await;
        assert_problem(&answer, StatusCode::UNAUTHORIZED, "unauthenticated");
    }
    let auditor = vault.person(Role::Auditor, 0).await;
    assert_problem(&auditor.get("/documents").await, StatusCode::FORBIDDEN, "forbidden");
    assert_eq!(auditor.get("/me").await.status, StatusCode::OK);
}

/// F04: not a bug of ours, so not a 500.
#[sqlx::test(migrations = "./migrations")]
async fn a_database_that_is_away_is_unavailable(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let user = vault.user().await;
    vault.app.store.pool().close().await;
    let answer = user.get("/me").await;
    assert_problem(&answer, StatusCode::SERVICE_UNAVAILABLE, "unavailable");
    assert!(answer.headers.contains_key("retry-after"));
    assert_problem(
        &send(&vault, ours("GET", "/readyz"), "").await,
        StatusCode::SERVICE_UNAVAILABLE,
        "unavailable",
    );
    assert_eq!(send(&vault, ours("GET", "/healthz"), "").await.status, StatusCode::OK);
}

#[sqlx::test(migrations = "./migrations")]
async fn what_a_route_does_not_take_is_refused_and_nothing_happens(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let ana = vault.user().await;
    let document = ana.upload("kept.txt", b"kept").await;
    let path = format!("/documents/{}", document["document_id"].as_str().unwrap());

    for (method, route) in [
        ("GET", "/me"),
        ("GET", "/quota"),
        ("GET", &path),
        ("DELETE", &path),
        ("DELETE", &format!("{path}/permanently")),
        ("DELETE", &format!("{path}/upload")),
        ("POST", &format!("{path}/upload")),
        ("POST", &format!("{path}/confirm")),
        ("POST", &format!("{path}/restore")),
        ("POST", "/documents"),
    ] {
        let answer = ana.send(method.parse().unwrap(), &format!("{route}?x=1"), &[], json!({})).await;
        assert_problem(&answer, StatusCode::UNPROCESSABLE_ENTITY, "validation");
        assert_eq!(answer.body["errors"][0]["field"], "x", "{method} {route}");
    }
    for (method, route) in [
        ("DELETE", path.clone()),
        ("DELETE", format!("{path}/permanently")),
        ("DELETE", format!("{path}/upload")),
        ("POST", format!("{path}/upload")),
        ("POST", format!("{path}/restore")),
    ] {
        let answer = ana.send(method.parse().unwrap(), &route, &[], json!({ "x": 1 })).await;
        assert_problem(&answer, StatusCode::UNPROCESSABLE_ENTITY, "validation");
        assert_eq!(answer.body["errors"][0]["field"], "x", "{method} {route}");
    }
    assert_eq!(ana.get(&path).await.body["status"], "active");
}
