use chrono::TimeDelta;
use http::StatusCode;
use serde_json::json;
use sqlx::PgPool;

use super::{Browser, PASSWORD};
use crate::auth::setup;
use crate::fixture::Vault;

async fn token(vault: &Vault) -> String {
    let link = setup::new_link(&vault.app).await.unwrap().unwrap();
    link.strip_prefix("http://127.0.0.1:8080/setup#token=").unwrap().to_owned()
}

#[sqlx::test(migrations = "./migrations")]
async fn the_link_makes_one_administrator_and_then_is_gone(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let mut browser = Browser::new(&vault);
    assert_eq!(browser.get("/setup").await.body, json!({ "needed": true }));
    let body = json!({
        "token": token(&vault).await, "email": " Ana@Example.org ", "password": PASSWORD, "display_name": "Ana"
    });
    let made = browser.post("/setup", body.clone()).await;
    assert_eq!(made.status, StatusCode::CREATED, "{:?}", made.body);
    assert_eq!((&made.body["email"], &made.body["role"]), (&json!("Ana@Example.org"), &json!("admin")));
    assert!(made.headers.contains_key("docuvault-position"));
    assert_eq!(browser.get("/setup").await.body, json!({ "needed": false }));
    assert_eq!(browser.post("/setup", body).await.status, StatusCode::NOT_FOUND);
    assert_eq!(setup::new_link(&vault.app).await.unwrap(), None);

    assert_eq!(browser.login("ana@example.org", PASSWORD).await.status, StatusCode::OK);
    let me = browser.get("/me").await;
    assert_eq!(me.body, made.body);
    assert!(me.headers.contains_key("etag"));
}

/// F01: the answer was lost.
#[sqlx::test(migrations = "./migrations")]
async fn a_repeat_with_its_key_is_answered_alike(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let mut browser = Browser::new(&vault);
    let mut set_up = async |key: &str, body: &serde_json::Value| {
        browser.send("POST", "/setup", &[("idempotency-key", key)], Some(body.clone())).await
    };
    let body = json!({ "token": token(&vault).await, "email": "ana@example.org", "password": PASSWORD });
    let made = set_up("first", &body).await;
    assert_eq!(made.status, StatusCode::CREATED, "{:?}", made.body);
    let again = set_up("first", &body).await;
    assert_eq!((again.status, again.body), (StatusCode::CREATED, made.body));
    let mut other = body.clone();
    other["email"] = json!("eve@example.org");
    assert_eq!(set_up("first", &other).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(set_up("second", &body).await.status, StatusCode::NOT_FOUND);
}

#[sqlx::test(migrations = "./migrations")]
async fn another_token_is_refused_and_an_old_one_too(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let mut browser = Browser::new(&vault);
    let (first, second) = (token(&vault).await, token(&vault).await);
    let body = |token: &str| json!({ "token": token, "email": "ana@example.org", "password": PASSWORD });
    for wrong in ["", "guessed", &first] {
        assert_eq!(browser.post("/setup", body(wrong)).await.status, StatusCode::UNAUTHORIZED);
    }
    vault.advance(TimeDelta::hours(25));
    assert_eq!(browser.post("/setup", body(&second)).await.status, StatusCode::UNAUTHORIZED);
}

#[sqlx::test(migrations = "./migrations")]
async fn two_at_once_make_one_administrator(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let token = token(&vault).await;
    let set_up = async |email: &str| {
        let body = json!({ "token": token, "email": email, "password": PASSWORD });
        Browser::new(&vault).post("/setup", body).await.status
    };
    let (one, other) = tokio::join!(set_up("ana@example.org"), set_up("bo@example.org"));
    let mut both = [one, other];
    both.sort();
    assert_eq!(both, [StatusCode::CREATED, StatusCode::NOT_FOUND]);
    let admins = sqlx::query_scalar!("SELECT count(*) FROM credentials").fetch_one(&pool).await.unwrap();
    assert_eq!(admins, Some(1));
}

#[sqlx::test(migrations = "./migrations")]
async fn wrong_fields_are_named_and_the_token_stays_good(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let mut browser = Browser::new(&vault);
    let token = token(&vault).await;
    let cases = [
        (json!({ "email": "ana", "password": PASSWORD }), "email"),
        (json!({ "email": "a@b@c d", "password": PASSWORD }), "email"),
        (json!({ "email": "ana@example.org", "password": "too short" }), "password"),
        (json!({ "email": "ana@example.org", "password": "x".repeat(1025) }), "password"),
        (
            json!({ "email": "ana@example.org", "password": PASSWORD, "display_name": "a\u{202e}b" }),
            "display_name",
        ),
        (json!({ "email": "ana@example.org", "password": PASSWORD, "role": "admin" }), "role"),
        (json!({ "password": PASSWORD }), "email"),
    ];
    for (mut body, field) in cases {
        body["token"] = json!(token);
        let refused = browser.post("/setup", body).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{field}: {:?}", refused.body);
        assert_eq!(refused.body["errors"][0]["field"], field);
    }
    let body = json!({ "token": token, "email": "ana@example.org", "password": PASSWORD });
    assert_eq!(browser.post("/setup", body).await.status, StatusCode::CREATED);
}
