use aggregates::DocumentId;
use futures::future::join_all;
use http::StatusCode;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use sqlx::PgPool;

use crate::documents::keys;
use crate::fixture::{Vault, eventually, put};

fn confirm_path(requested: &Value) -> String {
    format!("/documents/{}/confirm", requested["document_id"].as_str().unwrap())
}

fn id(requested: &Value) -> DocumentId {
    requested["document_id"].as_str().unwrap().parse().unwrap()
}

#[sqlx::test(migrations = "./migrations")]
async fn an_upload_becomes_a_document(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    vault.start_processes();
    let user = vault.user().await;
    let requested = user.request("Scan.PDF", b"hello").await;
    assert_eq!(requested.status, StatusCode::CREATED);
    assert!(requested.headers.contains_key("docuvault-position"));
    let upload = &requested.body["upload"];
    assert_eq!(upload["method"], "PUT");
    assert!(upload["url"].as_str().unwrap().contains("/vault/staging/"));
    assert_eq!(vault.quota(&user).await.reserved(), 5);

    let early = user.post(&confirm_path(&requested.body), Value::Null).await;
    assert_eq!(
        (early.status, &early.body["type"]),
        (StatusCode::CONFLICT, &"/problems/upload-mismatch".into())
    );

    assert_eq!(put(upload, b"hello").await, StatusCode::OK);
    assert_eq!(put(upload, b"hello").await, StatusCode::PRECONDITION_FAILED);
    let confirmed = user.post(&confirm_path(&requested.body), Value::Null).await;
    assert_eq!(confirmed.status, StatusCode::OK);
    let document = confirmed.body;
    assert_eq!((&document["status"], &document["name"]), (&"active".into(), &"Scan.PDF".into()));
    assert_eq!(document["sha256"], hex::encode(Sha256::digest(b"hello")));
    assert_eq!((&document["folder_id"], &document["topics"]), (&Value::Null, &Value::Array(vec![])));
    assert!(document["uploaded_at"].is_string());
    let quota = vault.quota(&user).await;
    assert_eq!((quota.used(), quota.reserved()), (5, 0));

    // The staging object goes, the final one stays.
    let final_key = vault.document(&document["document_id"]).await.request().unwrap().object_key.clone();
    assert!(final_key.starts_with(&user.id.to_string()) && final_key.contains(".pdf"), "{final_key}");
    eventually("only the final object", async || vault.objects.keys().await == [final_key.clone()]).await;
}

#[sqlx::test(migrations = "./migrations")]
async fn a_single_put_has_no_parts(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let user = vault.user().await;
    let requested = user.request("a.txt", b"hello").await.body;
    put(&requested["upload"], b"hello").await;
    for parts in [json!([]), json!([{ "number": 1, "etag": "x" }])] {
        let answer = user.post(&confirm_path(&requested), json!({ "parts": parts })).await;
        assert_eq!(
            (answer.status, &answer.body["errors"][0]["field"]),
            (StatusCode::UNPROCESSABLE_ENTITY, &json!("parts"))
        );
    }
    assert_eq!(user.post(&confirm_path(&requested), json!({})).await.status, StatusCode::OK);
}

/// U07
#[sqlx::test(migrations = "./migrations")]
async fn confirming_twice_or_at_once_happens_once(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    vault.start_processes();
    let (user, other) = (vault.user().await, vault.user().await);
    let requested = user.request("a.txt", b"hello").await.body;
    put(&requested["upload"], b"hello").await;
    let path = confirm_path(&requested);
    assert_eq!(other.post(&path, Value::Null).await.status, StatusCode::NOT_FOUND);

    let answers = join_all((0..8).map(|_| user.post(&path, Value::Null))).await;
    for answer in answers {
        assert_eq!((answer.status, &answer.body["status"]), (StatusCode::OK, &"active".into()), "{answer:?}");
    }
    assert_eq!(user.post(&path, Value::Null).await.status, StatusCode::OK);
    assert_eq!(vault.events(id(&requested), "UploadCompleted").await, 1);
    assert_eq!(vault.quota(&user).await.used(), 5);
}

/// F01: the copy was made, and the process died before the append; the staging object may be gone by now.
#[sqlx::test(migrations = "./migrations")]
async fn a_confirmation_goes_on_after_the_copy(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let user = vault.user().await;
    let requested = user.request("a.txt", b"hello").await.body;
    let document = vault.document(&requested["document_id"]).await;
    vault.objects.put(&document.request().unwrap().object_key, b"hello").await;
    let confirmed = user.post(&confirm_path(&requested), Value::Null).await;
    assert_eq!((confirmed.status, &confirmed.body["status"]), (StatusCode::OK, &"active".into()));
}

/// U01: the store checks what was signed; should it not, confirming does.
#[sqlx::test(migrations = "./migrations")]
async fn other_bytes_are_rejected_and_their_room_is_released(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    vault.start_processes();
    let user = vault.user().await;
    for lie in [b"longer".as_slice(), b"HELLO"] {
        let requested = user.request("a.txt", b"hello").await.body;
        assert!(!put(&requested["upload"], lie).await.is_success());
        let upload_id = requested["upload"]["id"].as_str().unwrap().parse().unwrap();
        vault.objects.put(&keys::staging(user.id, id(&requested), upload_id), lie).await;

        let confirmed = user.post(&confirm_path(&requested), Value::Null).await;
        assert_eq!(confirmed.status, StatusCode::CONFLICT);
        assert_eq!(confirmed.body["type"], "/problems/upload-mismatch");
        assert_eq!(user.post(&confirm_path(&requested), Value::Null).await.status, StatusCode::CONFLICT);
        let path = format!("/documents/{}", id(&requested));
        assert_eq!(user.get(&path).await.body["status"], "rejected");
        assert_eq!(user.get(&format!("{path}/content")).await.status, StatusCode::CONFLICT);
        assert_eq!(vault.quota(&user).await.reserved(), 0);
        eventually("the object goes", async || vault.objects.keys().await.is_empty()).await;
        assert_eq!(user.delete(&format!("{path}/permanently")).await.status, StatusCode::NO_CONTENT);
    }
}

/// U03, U04: after the confirmation the URL leads to an orphan at most.
#[sqlx::test(migrations = "./migrations")]
async fn a_late_put_does_not_touch_the_document(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    vault.start_processes();
    let user = vault.user().await;
    let requested = user.request("a.txt", b"hello").await.body;
    put(&requested["upload"], b"hello").await;
    user.post(&confirm_path(&requested), Value::Null).await;
    eventually("the staging object goes", async || vault.objects.keys().await.len() == 1).await;
    put(&requested["upload"], b"hello").await;
    let link = user
        .send(
            http::Method::GET,
            &format!("/documents/{}/content", id(&requested)),
            &[("accept", "application/json")],
            Value::Null,
        )
        .await;
    let bytes = reqwest::get(link.body["url"].as_str().unwrap()).await.unwrap();
    assert_eq!(
        bytes.headers()["content-disposition"],
        "attachment; filename=\"a.txt\"; filename*=UTF-8''a.txt"
    );
    assert_eq!(bytes.text().await.unwrap(), "hello");
}

#[sqlx::test(migrations = "./migrations")]
async fn what_has_expired_is_gone(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let user = vault.user().await;
    let requested = user.request("a.txt", b"hello").await.body;
    put(&requested["upload"], b"hello").await;
    vault.advance(chrono::TimeDelta::hours(24));
    assert_eq!(user.post(&confirm_path(&requested), Value::Null).await.status, StatusCode::GONE);
    assert_eq!(crate::processes::expire_uploads(&vault.app.store).await.unwrap(), 1);
    assert_eq!(crate::processes::expire_uploads(&vault.app.store).await.unwrap(), 0);
    assert_eq!(user.post(&confirm_path(&requested), Value::Null).await.status, StatusCode::GONE);
    assert_eq!(vault.quota(&user).await.reserved(), 0);
}
