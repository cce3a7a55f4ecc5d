use aggregates::document::Transfer;
use http::StatusCode;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::documents::SINGLE_PUT_AT_MOST;
use crate::fixture::{Person, Vault, announcement, eventually, put};

const PART: usize = 8 << 20;

fn content() -> Vec<u8> {
    vec![7; usize::try_from(SINGLE_PUT_AT_MOST).unwrap() + 1]
}

/// Announces `announced`, and stores all parts of `stored`, which is as long.
async fn store(user: &Person, announced: &[u8], stored: &[u8]) -> Value {
    let requested = user.request("big.bin", announced).await;
    assert_eq!(requested.status, StatusCode::CREATED);
    for (part, bytes) in requested.body["upload"]["parts"].as_array().unwrap().iter().zip(stored.chunks(PART))
    {
        assert_eq!(put(part, bytes).await, StatusCode::OK);
    }
    requested.body
}

/// Joins the stored parts, as a confirmation does.
async fn join(vault: &Vault, requested: &Value) {
    let document = vault.document(&requested["document_id"]).await;
    let request = document.request().unwrap();
    let Transfer::Multipart { multipart_id, .. } = &request.transfer else { unreachable!() };
    let blobs = &vault.app.blobs;
    let stored = blobs.list_parts(&request.object_key, multipart_id).await.unwrap();
    blobs.complete_multipart(&request.object_key, multipart_id, &stored).await.unwrap();
}

/// What resuming says about the parts.
async fn parts(user: &Person, path: &str) -> Value {
    user.post(&format!("{path}/upload"), Value::Null).await.body["upload"]["parts"].clone()
}

#[sqlx::test(migrations = "./migrations")]
async fn a_large_upload_is_verified_before_it_is_active(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let user = vault.user().await;
    let content = content();
    let requested = user.post("/documents", announcement("big.bin", &content)).await.body;
    let upload = &requested["upload"];
    assert_eq!(upload["part_size"], PART);
    assert_eq!(upload["parts"].as_array().unwrap().len(), 9);
    let path = format!("/documents/{}", requested["document_id"].as_str().unwrap());
    for (part, bytes) in upload["parts"].as_array().unwrap().iter().zip(content.chunks(PART)).skip(1) {
        assert_eq!(put(part, bytes).await, StatusCode::OK);
    }

    // The first part is still missing: confirming says so, resuming says which.
    let confirm = async |parts: Value| user.post(&format!("{path}/confirm"), json!({ "parts": parts })).await;
    let unnamed = user.post(&format!("{path}/confirm"), Value::Null).await;
    assert_eq!(
        (unnamed.status, &unnamed.body["type"]),
        (StatusCode::CONFLICT, &"/problems/upload-mismatch".into())
    );
    let stored = parts(&user, &path).await;
    assert!(stored[0]["url"].is_string() && stored[1]["etag"].is_string(), "{stored}");
    assert_eq!(confirm(json!([stored[1]])).await.status, StatusCode::CONFLICT);
    assert_eq!(put(&stored[0], &content[..PART]).await, StatusCode::OK);

    let stored = parts(&user, &path).await;
    let mut wrong = stored.clone();
    wrong[0]["etag"] = "0".into();
    assert_eq!(confirm(wrong).await.body["type"], "/problems/upload-mismatch");
    let confirmed = confirm(stored.clone()).await;
    assert_eq!((confirmed.status, &confirmed.body["status"]), (StatusCode::ACCEPTED, &json!("verifying")));
    assert_eq!(confirm(stored.clone()).await.status, StatusCode::ACCEPTED, "twice is once");
    assert_eq!(user.delete(&format!("{path}/upload")).await.status, StatusCode::CONFLICT);

    // Verifying never expires, and goes on whenever a process comes by.
    vault.advance(chrono::TimeDelta::hours(30));
    assert_eq!(crate::processes::expire_uploads(&vault.app.store).await.unwrap(), 0);
    vault.start_processes();
    eventually("active", async || user.get(&path).await.body["status"] == "active").await;
    assert_eq!(confirm(stored).await.status, StatusCode::OK);
    let quota = vault.quota(&user).await;
    assert_eq!((quota.used(), quota.reserved()), (SINGLE_PUT_AT_MOST + 1, 0));
}

#[sqlx::test(migrations = "./migrations")]
async fn other_bytes_are_rejected_after_hashing(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    vault.start_processes();
    let user = vault.user().await;
    let (announced, mut lie) = (content(), content());
    lie[0] = 0;
    let requested = store(&user, &announced, &lie).await;
    let path = format!("/documents/{}", requested["document_id"].as_str().unwrap());
    let parts = parts(&user, &path).await;
    let confirmed = user.post(&format!("{path}/confirm"), json!({ "parts": parts })).await;
    assert_eq!(confirmed.status, StatusCode::ACCEPTED);
    eventually("rejected", async || user.get(&path).await.body["status"] == "rejected").await;
    assert_eq!(vault.quota(&user).await.reserved(), 0);
    eventually("the object goes", async || vault.objects.keys().await.is_empty()).await;
}

/// F01: the parts were joined, and the process died before the append.
#[sqlx::test(migrations = "./migrations")]
async fn a_confirmation_goes_on_after_the_join(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let user = vault.user().await;
    let content = content();
    let requested = store(&user, &content, &content).await;
    let path = format!("/documents/{}", requested["document_id"].as_str().unwrap());
    let listed = parts(&user, &path).await;
    join(&vault, &requested).await;

    assert_eq!(user.post(&format!("{path}/upload"), Value::Null).await.status, StatusCode::CONFLICT);
    let confirmed = user.post(&format!("{path}/confirm"), json!({ "parts": listed })).await;
    assert_eq!(confirmed.status, StatusCode::ACCEPTED);
}

/// Also after the parts were joined in a try whose answer was lost.
#[sqlx::test(migrations = "./migrations")]
async fn parts_that_are_not_named_are_those_that_are_stored(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let user = vault.user().await;
    let content = content();
    for joined_before in [false, true] {
        let requested = store(&user, &content, &content).await;
        if joined_before {
            join(&vault, &requested).await;
        }
        let path = format!("/documents/{}/confirm", requested["document_id"].as_str().unwrap());
        let confirmed = user.post(&path, Value::Null).await;
        assert_eq!(confirmed.status, StatusCode::ACCEPTED, "{:?}", confirmed.body);
    }
}

#[sqlx::test(migrations = "./migrations")]
async fn giving_up_or_being_refused_leaves_no_parts(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    vault.start_processes();
    let user = vault.person(aggregates::Role::User, SINGLE_PUT_AT_MOST + 1).await;
    let unfinished = async || vault.app.blobs.list_multiparts(None).await.unwrap().uploads.len();
    let requested = user.request("big.bin", &content()).await.body;
    assert_eq!(user.request("too.big", &content()).await.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(unfinished().await, 1, "the refused one was aborted");
    let path = format!("/documents/{}/upload", requested["document_id"].as_str().unwrap());
    assert_eq!(user.delete(&path).await.status, StatusCode::NO_CONTENT);
    eventually("aborted", async || unfinished().await == 0).await;
}

/// U11
#[sqlx::test(migrations = "./migrations")]
async fn the_largest_document_has_more_parts_than_one_answer(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let user = vault.person(aggregates::Role::User, 6 << 40).await;
    let mut largest = announcement("largest.bin", b"");
    largest["size"] = json!(5_u64 << 40);
    let requested = user.post("/documents", largest).await;
    assert_eq!(requested.status, StatusCode::CREATED);
    let upload = &requested.body["upload"];
    assert_eq!(
        (&upload["part_size"], upload["parts"].as_array().unwrap().len()),
        (&json!(5_u64 << 30), 1_000)
    );
    assert!(upload["parts"][0]["url"].as_str().unwrap().contains("partNumber=1&"), "{}", upload["parts"][0]);
}
