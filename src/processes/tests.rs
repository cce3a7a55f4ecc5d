use chrono::TimeDelta;
use http::StatusCode;
use serde_json::Value;
use sqlx::PgPool;

use super::sweeper::Swept;
use super::{Ages, sweep};
use crate::documents::keys;
use crate::fixture::{Vault, eventually, put};

#[sqlx::test(migrations = "./migrations")]
async fn the_sweep_removes_what_nobody_needs_and_keeps_the_rest(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let user = vault.user().await;
    let (store, blobs, clock) = (&vault.app.store, &vault.app.blobs, vault.app.clock().clone());
    let orphan = |extension| {
        keys::of_object(user.id, aggregates::DocumentId(clock.new_id()), clock.new_id(), extension)
    };

    vault.objects.backdate(TimeDelta::hours(27));
    let active = user.upload("active.txt", b"active").await;
    let trashed = user.upload("trashed.txt", b"trashed").await;
    user.delete(&format!("/documents/{}", trashed["document_id"].as_str().unwrap())).await;
    let (unknown, foreign) = (orphan(".txt"), "backup.tar");
    vault.objects.put(&unknown, b"orphan").await;
    vault.objects.put(foreign, b"not ours").await;
    blobs.create_multipart(&orphan(""), "text/plain").await.unwrap();
    vault.objects.backdate(TimeDelta::zero());
    let young = orphan(".txt");
    vault.objects.put(&young, b"young").await;
    // A read model that has lost everything must not cost anybody their bytes.
    sqlx::query("DELETE FROM document_listing").execute(store.pool()).await.unwrap();

    let swept = sweep(store, blobs, Ages::default()).await.unwrap();
    // The two staging objects, and the one that no document knows.
    assert_eq!(
        swept,
        Swept { objects: 3, multiparts: 1, texts: 0, outcomes: 0, attempts: 0, tokens: 0, links: 0 }
    );
    let mut kept = vec![young, foreign.to_owned()];
    for document in [&active, &trashed] {
        kept.push(vault.document(&document["document_id"]).await.request().unwrap().object_key.clone());
    }
    kept.sort();
    assert_eq!(vault.objects.keys().await, kept);
    assert_eq!(sweep(store, blobs, Ages::default()).await.unwrap(), Swept::default());
}

/// U06
#[sqlx::test(migrations = "./migrations")]
async fn an_upload_that_is_never_confirmed_leaves_nothing(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let user = vault.user().await;
    let requested = user.request("a.txt", b"hello").await.body;
    assert_eq!(put(&requested["upload"], b"hello").await, StatusCode::OK);
    vault.advance(TimeDelta::hours(24));
    vault.start_processes();
    eventually("expired", async || vault.quota(&user).await.reserved() == 0).await;
    eventually("the object goes", async || vault.objects.keys().await.is_empty()).await;
    let path = format!("/documents/{}", requested["document_id"].as_str().unwrap());
    assert_eq!(user.post(&format!("{path}/confirm"), Value::Null).await.status, StatusCode::GONE);
}

/// F06: the bytes leave the quota at once, and the object store when it is back.
#[sqlx::test(migrations = "./migrations")]
async fn deleting_objects_waits_for_the_object_store(pool: PgPool) {
    let mut vault = Vault::open(&pool).await;
    vault.start_processes();
    let user = vault.user().await;
    let document = user.upload("a.txt", b"hello").await;
    vault.objects.go_down().await;
    let path = format!("/documents/{}/permanently", document["document_id"].as_str().unwrap());
    assert_eq!(user.delete(&path).await.status, StatusCode::NO_CONTENT);
    assert_eq!(user.get("/quota").await.body["used"], 0);
    let stopped =
        "SELECT EXISTS (SELECT FROM checkpoints WHERE name = 'object_deletion' AND error IS NOT NULL)";
    eventually("the failure shows", async || sqlx::query_scalar(stopped).fetch_one(&pool).await.unwrap())
        .await;
    vault.objects.come_back().await;
    eventually("the bytes go", async || vault.objects.keys().await.is_empty()).await;
}
