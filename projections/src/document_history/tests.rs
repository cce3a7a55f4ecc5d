use aggregates::{DocumentCommand, UserId};
use serde_json::json;
use sqlx::PgPool;

use super::*;
use crate::fixture::Vault;
use crate::tests::fold;

#[sqlx::test(migrations = "../migrations")]
async fn a_purged_document_keeps_its_history(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let owner = vault.register("owner@example.org", 10_000).await;
    let document = vault.upload_done(owner, "draft", 700).await;
    vault.rename(owner, document, "final").await;
    vault.change(owner, document, DocumentCommand::Trash).await.unwrap();
    vault.change(owner, document, DocumentCommand::Purge).await.unwrap();
    fold(&vault, &DocumentHistory, usize::MAX).await;

    let page = list(&pool, owner, document, None, 50).await.unwrap();
    let told: Vec<_> = page.rows.iter().rev().map(|row| (row.r#type.as_str(), row.changes.clone())).collect();
    let requested =
        json!({ "status": "pending", "name": "draft", "content_type": "application/pdf", "size": 700 });
    assert_eq!(
        told,
        [
            ("upload_requested", requested),
            ("upload_completed", json!({ "status": "active", "version": 1, "size": 700 })),
            ("document_renamed", json!({ "name": "final" })),
            ("document_trashed", json!({ "status": "trashed" })),
            ("document_purged", json!({ "status": "purged", "freed": 700 })),
        ]
    );
    assert!(page.rows.iter().all(|row| row.actor == format!("user:{owner}")));
    assert_eq!(page.next, None);
    assert_eq!(list(&pool, UserId(document.0), document, None, 50).await.unwrap().rows, []);

    let first = list(&pool, owner, document, None, 2).await.unwrap();
    assert_eq!(first.next, Some(first.rows[1].position));
    let rest = list(&pool, owner, document, first.next, 50).await.unwrap();
    assert_eq!([first.rows, rest.rows].concat(), page.rows);
}
