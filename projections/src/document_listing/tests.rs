use aggregates::{DocumentCommand, DocumentId, UserId};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use chrono::TimeDelta;
use sqlx::PgPool;

use super::*;
use crate::fixture::Vault;
use crate::tests::fold;

async fn find_now(vault: &Vault, pool: &PgPool, owner: UserId, document: DocumentId) -> Option<DocumentRow> {
    sqlx::query("TRUNCATE document_listing").execute(pool).await.unwrap();
    fold(vault, &DocumentListing, usize::MAX).await;
    find(pool, owner, document).await.unwrap()
}

#[sqlx::test(migrations = "../migrations")]
async fn a_document_is_listed_as_long_as_it_exists(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let owner = vault.register("owner@example.org", 10_000).await;
    let document = vault.request(owner, "Résumé.pdf", 700).await.unwrap();

    let row = find_now(&vault, &pool, owner, document).await.unwrap();
    assert_eq!((row.name.as_str(), row.sort_name.as_str()), ("Résumé.pdf", "résumé.pdf"));
    assert_eq!((row.status, row.size, row.uploaded_at), (Status::Pending, 700, None));
    assert_eq!(row.sha256, "5a".repeat(32));
    assert_eq!(row.position, vault.store.head().await.unwrap());
    assert_eq!(find(&pool, UserId(document.0), document).await.unwrap(), None, "it belongs to its owner");

    let now = vault.store.clock().now();
    vault.change(owner, document, DocumentCommand::CompleteUpload { now }).await.unwrap();
    let active = find_now(&vault, &pool, owner, document).await.unwrap();
    assert_eq!((active.status, active.version), (Status::Active, 1));
    assert_eq!(active.uploaded_at, Some(active.updated_at));
    assert_eq!(active.created_at, row.created_at);

    vault.rename(owner, document, "Zeugnis").await;
    vault.change(owner, document, DocumentCommand::Trash).await.unwrap();
    let trashed = find_now(&vault, &pool, owner, document).await.unwrap();
    assert_eq!((trashed.status, trashed.sort_name.as_str()), (Status::Trashed, "zeugnis"));
    vault.change(owner, document, DocumentCommand::Purge).await.unwrap();
    assert_eq!(find_now(&vault, &pool, owner, document).await, None);

    let given_up = vault.request(owner, "never sent", 1).await.unwrap();
    vault.change(owner, given_up, DocumentCommand::CancelUpload).await.unwrap();
    assert_eq!(find_now(&vault, &pool, owner, given_up).await, None);
}

#[sqlx::test(migrations = "../migrations")]
async fn processes_find_deadlines_verifications_and_keys(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let owner = vault.register("owner@example.org", 10_000).await;
    let late = vault.request(owner, "late", 5).await.unwrap();
    let big = vault.request(owner, "big", 2_000).await.unwrap();
    let now = vault.store.clock().now();
    vault.change(owner, big, DocumentCommand::BeginVerification { now }).await.unwrap();
    fold(&vault, &DocumentListing, usize::MAX).await;

    assert_eq!(expired_uploads(&pool, now, 10).await.unwrap(), []);
    let expired = expired_uploads(&pool, now + TimeDelta::days(2), 10).await.unwrap();
    assert_eq!(expired.iter().map(|row| row.document_id).collect::<Vec<_>>(), [late.0]);
    let waiting = verifying(&pool, 10).await.unwrap();
    assert_eq!(waiting.iter().map(|row| row.document_id).collect::<Vec<_>>(), [big.0]);
    let key = waiting[0].object_key.clone();
    assert_eq!(known_keys(&pool, &[key.clone(), "nobody's".into()]).await.unwrap(), [key]);
}

const SORTS: [&str; 8] =
    ["name", "-name", "created_at", "-created_at", "updated_at", "-updated_at", "size", "-size"];

#[sqlx::test(migrations = "../migrations")]
async fn pages_of_every_sort_are_in_order_and_complete(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let owner = vault.register("owner@example.org", 10_000).await;
    let other = vault.register("other@example.org", 10_000).await;
    vault.upload_done(other, "not mine", 1).await;
    let names = ["b", "A", "a", "B", "Émile", "émile", "Ärger", "日本語 🗂", "zebra", "\u{10FFFD}", "10", "9"];
    for (name, size) in names.iter().zip([3, 1, 1, 2].into_iter().cycle()) {
        vault.upload_done(owner, name, size).await;
    }
    fold(&vault, &DocumentListing, usize::MAX).await;
    sqlx::query("UPDATE document_listing SET updated_at = created_at - size * interval '1 hour'")
        .execute(&pool)
        .await
        .unwrap();

    for sort in SORTS.map(|sort| sort.parse::<Sort>().unwrap()) {
        let mut expected = walk(&pool, owner, Sort::default(), 200).await;
        expected.sort_by_key(|row| row.document_id);
        match sort.key {
            SortKey::Name => expected.sort_by_key(|row| row.name.to_lowercase()),
            SortKey::CreatedAt => expected.sort_by_key(|row| row.created_at),
            SortKey::UpdatedAt => expected.sort_by_key(|row| row.updated_at),
            SortKey::Size => expected.sort_by_key(|row| row.size),
        }
        if sort.descending {
            expected.reverse();
        }
        assert_eq!(expected.len(), names.len());
        for limit in [1, 5, 12, 200] {
            assert_eq!(walk(&pool, owner, sort, limit).await, expected, "{sort} by {limit}");
        }
    }
}

/// All active documents, page by page, with the cursor as a client carries it.
async fn walk(pool: &PgPool, owner: UserId, sort: Sort, limit: u16) -> Vec<DocumentRow> {
    let mut query = ListQuery { owner, shelf: Shelf::Active, sort, matching: None, after: None, limit };
    let mut rows = Vec::new();
    loop {
        let page = list(pool, &query).await.unwrap();
        assert!(page.rows.len() <= usize::from(limit));
        rows.extend(page.rows);
        let Some(next) = page.next else { return rows };
        query.after = Some(Cursor::parse(&next.to_text().unwrap(), sort).unwrap());
    }
}

#[test]
fn a_cursor_is_good_for_its_own_list_only() {
    let by_name: Sort = "name".parse().unwrap();
    let parse = |json: &str, sort| Cursor::parse(&BASE64.encode(json), sort);
    let id = "018f2f9e-0000-7000-8000-000000000001";
    let good = format!(r#"{{"sort":"name","key":{{"name":"a"}},"document_id":"{id}"}}"#);
    let text = parse(&good, by_name).unwrap().to_text().unwrap();
    assert_eq!(BASE64.decode(&text).unwrap(), good.as_bytes());

    assert_eq!(parse(&good, Sort::default()), Err(CursorError::OtherSort));
    assert_eq!(parse(&good, "-name".parse().unwrap()), Err(CursorError::OtherSort));
    for broken in [
        format!(r#"{{"sort":"name","key":{{"size":1}},"document_id":"{id}"}}"#),
        format!(r#"{{"sort":"name","key":{{"name":"\u0000"}},"document_id":"{id}"}}"#),
        format!(r#"{{"sort":"colour","key":{{"name":"a"}},"document_id":"{id}"}}"#),
        r#"{"sort":"name","key":{"name":"a"},"document_id":"1"}"#.into(),
        "{}".into(),
        String::new(),
    ] {
        assert_eq!(parse(&broken, by_name), Err(CursorError::Malformed), "{broken}");
    }
    assert_eq!(Cursor::parse("not base64!", by_name), Err(CursorError::Malformed));
}

#[test]
fn sorts_are_written_as_they_are_read() {
    for text in SORTS {
        assert_eq!(text.parse::<Sort>().unwrap().to_string(), text);
    }
    assert_eq!(Sort::default().to_string(), "-created_at");
    for wrong in ["", "-", "--name", "Name", "sha256", "name desc"] {
        assert!(wrong.parse::<Sort>().is_err(), "{wrong}");
    }
}
