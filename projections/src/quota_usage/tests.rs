use aggregates::{DocumentCommand, UserId};
use sqlx::PgPool;

use super::*;
use crate::fixture::Vault;
use crate::tests::fold;

/// used, reserved, documents, trashed bytes
async fn figures(vault: &Vault, pool: &PgPool, owner: UserId) -> (i64, i64, i64, i64) {
    sqlx::query("TRUNCATE quota_usage").execute(pool).await.unwrap();
    fold(vault, &QuotaUsage, usize::MAX).await;
    let row = find(pool, owner).await.unwrap().unwrap();
    assert_eq!(row.limit, 10_000);
    assert_eq!(row.available(), 10_000 - row.used - row.reserved);
    (row.used, row.reserved, row.documents, row.trashed_bytes)
}

#[sqlx::test(migrations = "../migrations")]
async fn figures_follow_the_documents(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let owner = vault.register("owner@example.org", 10_000).await;
    vault.upload_done(vault.register("other@example.org", 10_000).await, "theirs", 9).await;
    assert_eq!(figures(&vault, &pool, owner).await, (0, 0, 0, 0));

    let kept = vault.upload_done(owner, "kept", 300).await;
    let trashed = vault.upload_done(owner, "trashed", 50).await;
    let pending = vault.request(owner, "pending", 7).await.unwrap();
    vault.change(owner, trashed, DocumentCommand::Trash).await.unwrap();
    assert_eq!(figures(&vault, &pool, owner).await, (350, 7, 2, 50));

    vault.change(owner, pending, DocumentCommand::CancelUpload).await.unwrap();
    vault.change(owner, trashed, DocumentCommand::Purge).await.unwrap();
    assert_eq!(figures(&vault, &pool, owner).await, (300, 0, 1, 0));
    vault.change(owner, kept, DocumentCommand::Trash).await.unwrap();
    vault.change(owner, kept, DocumentCommand::Restore).await.unwrap();
    vault.change(owner, kept, DocumentCommand::Purge).await.unwrap();
    assert_eq!(figures(&vault, &pool, owner).await, (0, 0, 0, 0));
}
