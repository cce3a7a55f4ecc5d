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
