use aggregates::{AccessEvent, DocumentCommand};
use chrono::TimeDelta;
use futures::FutureExt;
use serde_json::json;
use sqlx::PgPool;

use super::*;
use crate::fixture::Vault;
use crate::tests::fold;

async fn told(pool: &PgPool, query: AuditQuery) -> Vec<String> {
    let page = list(pool, &AuditQuery { limit: 200, ..query }).await.unwrap();
    page.rows.into_iter().map(|row| row.r#type).collect()
}

#[sqlx::test(migrations = "../migrations")]
async fn every_event_is_a_row_without_names(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let owner = vault.register("owner@example.org", 10_000).await;
    let document = vault.upload_done(owner, "Secret.pdf", 700).await;
    let download = AccessEvent::DocumentDownloaded { document_id: document };
    vault
        .store
        .execute(vault.context(owner), move |unit| {
            let recorded = unit.record(owner, &download).map_err(anyhow::Error::from);
            async move { recorded }.boxed()
        })
        .await
        .unwrap();
    vault.change(owner, document, DocumentCommand::Trash).await.unwrap();
    fold(&vault, &AuditTrail, 3).await;

    let all = list(&pool, &AuditQuery { limit: 200, ..AuditQuery::default() }).await.unwrap();
    let positions: Vec<_> = all.rows.iter().map(|row| row.position).collect();
    let head = vault.store.head().await.unwrap();
    assert_eq!(positions, (1..=head).rev().collect::<Vec<_>>(), "one row for every event, the newest first");
    assert!(all.rows.iter().all(|row| row.actor == format!("user:{owner}")));
    let requested = all.rows.iter().find(|row| row.r#type == "upload_requested").unwrap();
    assert_eq!(requested.subject, format!("document:{document}"));
    assert_eq!(
        (&requested.details["size"], &requested.details["content_type"]),
        (&json!(700), &json!("application/pdf"))
    );
    let everything = format!("{:?}", all.rows);
    for personal in ["Secret", "owner@example.org", "nonce", "sha256"] {
        assert!(!everything.contains(personal), "{personal} is told: {everything}");
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn filters_and_pages(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let (one, other) =
        (vault.register("a@example.org", 10_000).await, vault.register("b@example.org", 10_000).await);
    let document = vault.upload_done(one, "a", 1).await;
    vault.upload_done(other, "b", 1).await;
    vault.rename(one, document, "c").await;
    fold(&vault, &AuditTrail, usize::MAX).await;

    let about = AuditQuery { document_id: Some(document.0), ..AuditQuery::default() };
    assert_eq!(
        told(&pool, about.clone()).await,
        ["document_renamed", "upload_completed", "upload_requested"]
    );
    let actor = Some(format!("user:{other}"));
    let by_other = told(&pool, AuditQuery { actor: actor.clone(), ..AuditQuery::default() }).await;
    assert!(by_other.contains(&"upload_completed".into()) && !by_other.contains(&"document_renamed".into()));
    assert_eq!(told(&pool, AuditQuery { actor, ..about.clone() }).await, Vec::<String>::new());
    let renamed = AuditQuery { r#type: Some("document_renamed".into()), ..AuditQuery::default() };
    assert_eq!(told(&pool, renamed.clone()).await, ["document_renamed"]);

    // From is included, to is not.
    let at = list(&pool, &AuditQuery { limit: 1, ..renamed.clone() }).await.unwrap().rows[0].at;
    let span = |from, to| AuditQuery { from, to, ..renamed.clone() };
    let later = at + TimeDelta::microseconds(1);
    assert_eq!(told(&pool, span(Some(at), Some(later))).await, ["document_renamed"]);
    assert_eq!(told(&pool, span(Some(later), None)).await, Vec::<String>::new());
    assert_eq!(told(&pool, span(None, Some(at))).await, Vec::<String>::new());

    let mut pages = Vec::new();
    let mut query = AuditQuery { limit: 2, ..AuditQuery::default() };
    loop {
        let page = list(&pool, &query).await.unwrap();
        pages.extend(page.rows.into_iter().map(|row| row.position));
        query.before = page.next;
        if page.next.is_none() {
            break;
        }
    }
    assert_eq!(pages, (1..=vault.store.head().await.unwrap()).rev().collect::<Vec<_>>());
}
