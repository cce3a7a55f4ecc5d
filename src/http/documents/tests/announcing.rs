use http::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::fixture::{Vault, announcement, put};

fn with(field: &str, value: Value) -> Value {
    let mut announcement = announcement("a.txt", b"hello");
    announcement[field] = value;
    announcement
}

fn wrong_fields(body: &Value) -> Vec<&str> {
    body["errors"].as_array().unwrap().iter().map(|error| error["field"].as_str().unwrap()).collect()
}

/// U10, U11, Z07
#[sqlx::test(migrations = "./migrations")]
async fn names_every_field_that_is_wrong_and_changes_nothing(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let user = vault.user().await;
    let before = vault.app.store.head().await.unwrap();
    for (field, value) in [
        ("name", json!("a\u{202e}b.txt")),
        ("name", json!("a\r\nb")),
        ("name", json!("../etc/passwd")),
        ("name", json!("n".repeat(300))),
        ("content_type", json!("text")),
        ("content_type", json!("text/plain\r\nx: y")),
        ("content_type", json!("*/*")),
        ("content_type", json!(format!("text/plain; x={}", "y".repeat(255)))),
        ("size", json!(-1)),
        ("size", json!(9_223_372_036_854_775_808_u64)),
        ("size", json!((5_u64 << 40) + 1)),
        ("size", json!(1.5)),
        ("sha256", json!("zz")),
        ("sha256", json!("é".repeat(32))),
        ("folder_id", json!("01890a5d-ac96-774b-bcce-b302099a8057")),
        ("owner_id", json!("01890a5d-ac96-774b-bcce-b302099a8057")),
    ] {
        let answer = user.post("/documents", with(field, value.clone())).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{field} {value}");
        assert_eq!(wrong_fields(&answer.body), [field], "{field} {value}");
    }
    let answer = user.post("/documents", json!({})).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(vault.app.store.head().await.unwrap(), before);
}

/// U11
#[sqlx::test(migrations = "./migrations")]
async fn an_empty_document_is_a_document(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let user = vault.user().await;
    let document = user.upload("empty.txt", b"").await;
    assert_eq!((document["size"].as_i64(), document["status"].as_str()), (Some(0), Some("active")));
}

#[sqlx::test(migrations = "./migrations")]
async fn a_repeat_answers_the_same_ids_with_fresh_urls(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let user = vault.user().await;
    let announce =
        async |body| user.send(Method::POST, "/documents", &[("idempotency-key", "one")], body).await;
    let first = announce(announcement("a.txt", b"hello")).await;
    let again = announce(announcement("a.txt", b"hello")).await;
    assert_eq!((first.status, again.status), (StatusCode::CREATED, StatusCode::CREATED));
    assert_eq!(first.body["document_id"], again.body["document_id"]);
    assert_eq!(first.body["upload"]["id"], again.body["upload"]["id"]);
    assert_eq!(put(&again.body["upload"], b"hello").await, StatusCode::OK);
    assert_eq!(vault.quota(&user).await.reserved(), 5);

    let other = announce(announcement("b.txt", b"hello")).await;
    assert_eq!(other.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(wrong_fields(&other.body), ["Idempotency-Key"]);
}

#[sqlx::test(migrations = "./migrations")]
async fn an_upload_can_be_resumed_or_given_up(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let (user, other) = (vault.user().await, vault.user().await);
    let requested = user.request("a.txt", b"hello").await.body;
    let path = format!("/documents/{}/upload", requested["document_id"].as_str().unwrap());
    assert_eq!(other.post(&path, Value::Null).await.status, StatusCode::NOT_FOUND);
    assert_eq!(other.delete(&path).await.status, StatusCode::NOT_FOUND);

    vault.advance(chrono::TimeDelta::seconds(1));
    let resumed = user.post(&path, Value::Null).await;
    assert_eq!(resumed.status, StatusCode::OK);
    assert_eq!(resumed.body["upload"]["id"], requested["upload"]["id"]);
    assert_ne!(resumed.body["upload"]["url"], requested["upload"]["url"]);

    assert_eq!(user.delete(&path).await.status, StatusCode::NO_CONTENT);
    assert_eq!(vault.quota(&user).await.reserved(), 0);
    assert_eq!(user.delete(&path).await.status, StatusCode::NO_CONTENT, "twice is once");
    assert_eq!(user.post(&path, Value::Null).await.status, StatusCode::GONE);
}

/// F06
#[sqlx::test(migrations = "./migrations")]
async fn without_the_object_store_documents_are_listed_and_confirming_waits(pool: PgPool) {
    let mut vault = Vault::open(&pool).await;
    let user = vault.user().await;
    let requested = user.request("a.txt", b"hello").await.body;
    vault.objects.go_down().await;

    let path = format!("/documents/{}", requested["document_id"].as_str().unwrap());
    let confirmed = user.post(&format!("{path}/confirm"), Value::Null).await;
    assert_eq!(confirmed.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(confirmed.headers.contains_key("retry-after"));
    assert_eq!(user.get(&path).await.body["status"], "pending");
    let big =
        json!({ "name": "b", "content_type": "text/plain", "size": 65 << 20, "sha256": "0".repeat(64) });
    assert_eq!(user.post("/documents", big).await.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(vault.quota(&user).await.reserved(), 5);

    vault.advance(chrono::TimeDelta::hours(25));
    assert_eq!(crate::processes::expire_uploads(&vault.app.store).await.unwrap(), 1);
    assert_eq!(vault.quota(&user).await.reserved(), 0);
}
