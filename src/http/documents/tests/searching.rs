use aggregates::DocumentEvent;
use http::StatusCode;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::consumers::classification::Classification;
use crate::fixture::{Person, Vault, eventually};
use crate::inspection::tests::inspector;

/// Looks into everything that was uploaded, and waits until it can be found.
async fn inspect_all(vault: &Vault) {
    let (store, blobs) = (vault.app.store.clone(), vault.app.blobs.clone());
    let consumer = Classification { store, blobs, inspector: inspector() };
    for event in consumer.store.read(0, 1_000).await.unwrap() {
        if matches!(event.event, aggregates::Event::Document(DocumentEvent::UploadCompleted { .. })) {
            consumer.classify(&event).await.unwrap();
        }
    }
    let head = consumer.store.head().await.unwrap();
    eventually("folded", async || {
        let behind = "SELECT bool_and(position >= $1) FROM checkpoints WHERE name LIKE 'document_%'";
        sqlx::query_scalar(behind).bind(head).fetch_one(consumer.store.pool()).await.unwrap()
    })
    .await;
}

async fn names(person: &Person, query: &str) -> Vec<String> {
    let found = person.get(&format!("/documents?{query}")).await;
    assert_eq!(found.status, StatusCode::OK, "{query}: {found:?}");
    found.body["items"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap().into()).collect()
}

/// Z09
#[sqlx::test(migrations = "./migrations")]
async fn people_find_their_own_documents_by_name_and_text(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let (user, other) = (vault.user().await, vault.user().await);
    let lease =
        "The landlord leases the flat to the tenant & <b>friends</b> for two years, beginning in May.";
    user.upload("contract.txt", lease.as_bytes()).await;
    user.upload("Lease reminder.txt", b"nothing about it in here").await;
    other.upload("lease.txt", lease.as_bytes()).await;
    inspect_all(&vault).await;

    assert_eq!(names(&user, "q=lease").await, ["Lease reminder.txt", "contract.txt"], "names first");
    assert_eq!(names(&user, "q=tenants%20landlo").await, ["contract.txt"]);
    assert_eq!(names(&user, "q=lease&sort=name").await, ["contract.txt", "Lease reminder.txt"]);
    assert_eq!(names(&user, "q=lease&sort=-size&limit=1").await, ["contract.txt"]);
    assert_eq!(names(&user, "q=lease&status=trashed").await, Vec::<String>::new());
    let first = user.get("/documents?q=lease&limit=1").await.body;
    let cursor = first["next_cursor"].as_str().unwrap();
    assert_eq!(names(&user, &format!("q=lease&limit=1&cursor={cursor}")).await, ["contract.txt"]);

    let found = user.get("/documents?q=friend").await.body;
    let snippet = found["items"][0]["snippet"].as_str().unwrap();
    assert!(snippet.contains("&amp; &lt;b&gt;<mark>friends</mark>&lt;/b&gt; for"), "{snippet}");
    assert_eq!(user.get("/documents").await.body["items"][0].get("snippet"), None);
}

#[sqlx::test(migrations = "./migrations")]
async fn odd_searches_are_refused_or_find_nothing(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let user = vault.user().await;
    user.upload("a.txt", b"hello").await;
    let long = "a".repeat(10_000);
    for q in ["", "%20", "%00", "%F0%9F%8E%89", "%26%7C%21", long.as_str()] {
        let refused = user.get(&format!("/documents?q={q}")).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{q}");
        assert_eq!(refused.body["errors"][0]["field"], "q");
    }
    for q in [
        "'%20OR%201=1",
        "a%00b%3A*",
        "%22x%20%3C-%3E",
        "%D7%A9%D7%9C%D7%95%D7%9D",
        "x%F0%9F%8E%89",
        "%5C%5C'y",
    ] {
        assert_eq!(names(&user, &format!("q={q}")).await, Vec::<String>::new(), "{q}");
    }
    let other_list = user.get("/documents?limit=1&sort=name").await.body["next_cursor"].clone();
    assert_eq!(other_list, Value::Null);
    let refused = user.get("/documents?q=a&cursor=AAAA").await;
    assert_eq!(
        (refused.status, &refused.body["errors"][0]["field"]),
        (StatusCode::UNPROCESSABLE_ENTITY, &json!("cursor"))
    );
}
