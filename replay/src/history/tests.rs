use aggregates::AccessEvent;
use futures::FutureExt;
use sqlx::PgPool;

use super::*;
use crate::tests::Past;

async fn told(source: &Source, about: About, format: Format) -> String {
    let mut out = Vec::new();
    let selection = Selection { about, from: None, to: None };
    history(source, &selection, format, &mut out).await.unwrap();
    String::from_utf8(out).unwrap()
}

#[sqlx::test(migrations = "../migrations")]
async fn a_table_reads_like_a_story(pool: PgPool) {
    let past = Past::new(&pool).await;
    let table = told(&past.source(true), About::Document(past.purged.0), Format::Table).await;
    let lines: Vec<_> = table.lines().collect();
    assert_eq!(lines.len(), 1 + 4);
    assert!(lines[1].contains("alice@example.org") && lines[1].contains("name: old"), "{table}");
    assert!(lines[3].contains("document_trashed"), "{table}");
    assert!(lines[4].contains("document_purged") && lines[4].contains("freed: 50"), "{table}");
}

#[sqlx::test(migrations = "../migrations")]
async fn without_the_key_nothing_personal_is_told(pool: PgPool) {
    let past = Past::new(&pool).await;
    let sealed = told(&past.source(false), About::User(past.alice.0), Format::Ndjson).await;
    assert!(sealed.contains("[sealed]"));
    let registered: serde_json::Value = serde_json::from_str(sealed.lines().next().unwrap()).unwrap();
    assert_eq!(registered["details"], serde_json::json!({ "email": "[sealed]", "role": "user" }));
    assert_eq!(registered["actor"], format!("user:{}", past.alice));
    assert_eq!(registered["who"], serde_json::Value::Null);
    for secret in ["alice@", "draft", "final"] {
        assert!(!sealed.contains(secret), "{sealed}");
    }

    sqlx::query("UPDATE user_keys SET wrapped = NULL").execute(&pool).await.unwrap();
    let erased = crate::fixture::Vault::open(&pool).await;
    let erased = Source { pool: erased.pool().clone(), store: Some(erased.store) };
    let erased = told(&erased, About::Document(past.kept.0), Format::Ndjson).await;
    assert!(erased.contains(r#""name":"[erased]""#), "{erased}");
}

/// Alice fetches the kept document.
async fn download(past: &Past) {
    let (alice, document_id) = (past.alice, past.kept);
    let recorded = past.vault.store.execute::<_, anyhow::Error, _>(past.vault.context(alice), move |unit| {
        let recorded = unit.record(alice, &AccessEvent::DocumentDownloaded { document_id });
        async move { Ok(recorded?) }.boxed()
    });
    recorded.await.unwrap();
}

/// The same events as by reading everything: nothing is missed by the indexes that lead there.
#[sqlx::test(migrations = "../migrations")]
async fn a_history_holds_all_that_is_about_somebody_or_something(pool: PgPool) {
    let past = Past::new(&pool).await;
    download(&past).await;
    let position =
        |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["position"].as_i64().unwrap();
    let told = async |about| {
        let told = told(&past.source(true), about, Format::Ndjson).await;
        told.lines().map(position).collect::<Vec<i64>>()
    };
    let all = async |condition: &str| {
        let all = format!("SELECT position FROM events WHERE {condition} ORDER BY position");
        sqlx::query_scalar::<_, i64>(&all).fetch_all(&pool).await.unwrap()
    };
    let (alice, kept) = (past.alice, past.kept);
    assert_eq!(told(About::User(alice.0)).await, all(&format!("owner_id = '{alice}'")).await);
    let about_kept = format!("aggregate_id = '{kept}' OR event_type = 'DocumentDownloaded'");
    assert_eq!(told(About::Document(kept.0)).await, all(&about_kept).await);
    assert_eq!(told(About::Stream(kept.to_string())).await, all(&format!("aggregate_id = '{kept}'")).await);

    sqlx::raw_sql(&format!(
        "ALTER TABLE events DISABLE TRIGGER ALL;
         UPDATE events SET payload = replace(payload::text, '\"role\":\"user\"', '\"role\":\"admin\"')::json
         WHERE aggregate_id = '{alice}' AND event_type = 'UserRegistered';
         UPDATE events SET metadata = replace(metadata::text, metadata ->> 'actor', 'user:{alice}')::json
         WHERE owner_id <> '{alice}' AND event_type = 'UploadRequested'"
    ))
    .execute(&pool)
    .await
    .unwrap();
    let acted = format!("owner_id = '{alice}' OR metadata ->> 'actor' = 'user:{alice}'");
    assert_eq!(told(About::User(alice.0)).await, all(&acted).await, "an administrator acts elsewhere, too");
}

#[sqlx::test(migrations = "../migrations")]
async fn csv_survives_commas_and_selections_are_exact(pool: PgPool) {
    let past = Past::new(&pool).await;
    let csv = told(&past.source(true), About::Document(past.kept.0), Format::Csv).await;
    let lines: Vec<_> = csv.split_terminator("\r\n").collect();
    assert_eq!(lines.len(), 1 + 3);
    assert_eq!(lines[0], "position,at,actor,who,what,stream,details");
    assert!(lines[3].ends_with(r#","{""name"":""final, really""}""#), "{csv}");

    let stream = told(&past.source(true), About::Stream(past.alice.to_string()), Format::Ndjson).await;
    assert_eq!(stream.lines().count(), 1 + 6, "the account and its quota");
    let second = past.vault.store.read(1, 1).await.unwrap()[0].recorded_at;
    let none = Selection { about: About::User(past.alice.0), from: None, to: Some(second) };
    let count = history(&past.source(true), &none, Format::Csv, &mut Vec::new()).await.unwrap();
    assert_eq!(count, 0, "the end is not included");
}
