use aggregates::Role;
use http::StatusCode;
use sqlx::PgPool;

use super::after_restore;
use crate::fixture::{Vault, eventually};

/// A cursor says where a list went on in a lineage of the log. After a restore it would skip or repeat.
#[sqlx::test(migrations = "./migrations")]
async fn cursors_of_a_lineage_that_has_ended_are_gone(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let admin = vault.person(Role::Admin, 1 << 20).await;
    let document = admin.upload("1.txt", b"hello").await;
    admin.upload("2.txt", b"hello").await;
    let history = format!("/documents/{}/history?limit=1", document["document_id"].as_str().unwrap());
    let head = vault.app.store.head().await.unwrap();
    eventually("the trail is there", async || {
        admin.get("/admin/audit?limit=1").await.body["items"][0]["position"] == head
    })
    .await;
    let mut paths = Vec::new();
    for list in ["/documents?limit=1", &history, "/admin/audit?limit=1"] {
        let page = admin.get(list).await;
        let cursor = page.body["next_cursor"].as_str().unwrap_or_else(|| panic!("{list}: {page:?}"));
        paths.push(format!("{list}&cursor={cursor}"));
    }
    for path in &paths {
        assert_eq!(admin.get(path).await.status, StatusCode::OK, "{path}");
    }
    let restored = after_restore(&vault.store_of(&pool).await, None).await.unwrap();
    assert_eq!(restored.position, Some(head + 1));
    // For a moment this process remembers what it was told of the session, the lineage included.
    eventually("the new lineage is known", async || admin.get(&paths[0]).await.status == StatusCode::GONE)
        .await;
    for path in &paths {
        let gone = admin.get(path).await;
        assert_eq!((gone.status, &gone.body["type"]), (StatusCode::GONE, &"/problems/gone".into()), "{path}");
    }
    assert_eq!(admin.get("/documents?limit=1").await.status, StatusCode::OK);
}
