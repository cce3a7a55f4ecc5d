use aggregates::document::InspectionRefusal;
use aggregates::{Document, DocumentEvent};
use serde_json::Value;
use sqlx::PgPool;

use super::*;
use crate::fixture::{Person, Vault, eventually};
use crate::inspection::tests::files::pdf;
use crate::inspection::tests::{inspector, program};
use crate::inspection::{Inspector, Limits};
use crate::processes::{Ages, sweep};

const TEXT: &str = "The rent for the flat is due on the first day of each month, without any reminder.";

struct Setting {
    vault: Vault,
    user: Person,
    consumer: Classification,
}

impl Setting {
    async fn open(pool: &PgPool) -> Self {
        let vault = Vault::open(pool).await;
        let (store, blobs) = (vault.app.store.clone(), vault.app.blobs.clone());
        let consumer = Classification { store, blobs, inspector: inspector() };
        Self { user: vault.user().await, vault, consumer }
    }

    /// The newest completion of an upload.
    async fn completed(&self) -> RecordedEvent {
        let events = self.consumer.store.read(0, 1_000).await.unwrap();
        let completed = |event: &RecordedEvent| {
            matches!(event.event, Event::Document(DocumentEvent::UploadCompleted { .. }))
        };
        events.into_iter().rfind(completed).unwrap()
    }

    async fn texts(&self) -> i64 {
        let count = sqlx::query_scalar("SELECT count(*) FROM document_texts");
        count.fetch_one(self.consumer.store.pool()).await.unwrap()
    }

    async fn state(&self, document: &Value) -> Document {
        self.vault.document(&document["document_id"]).await
    }

    async fn purge(&self, document: &Value) {
        let id = document["document_id"].as_str().unwrap();
        self.user.delete(&format!("/documents/{id}/permanently")).await;
    }
}

fn inspection_of(document: &Document) -> Option<&Inspection> {
    document.inspection_of(document.request().unwrap().upload_id)
}

#[sqlx::test(migrations = "./migrations")]
async fn an_upload_is_looked_into_once(pool: PgPool) {
    let setting = Setting::open(&pool).await;
    let document = setting.user.upload("lease.txt", &pdf(&[TEXT.into()])).await;
    let event = setting.completed().await;
    // Two instances at the same time, and the event again later.
    let (one, other) = tokio::join!(setting.consumer.classify(&event), setting.consumer.classify(&event));
    one.and(other).unwrap();
    setting.consumer.classify(&event).await.unwrap();

    let state = setting.state(&document).await;
    let Some(Inspection::TextExtracted { language, key, bytes, .. }) = inspection_of(&state) else {
        panic!("{:?}", inspection_of(&state))
    };
    assert_eq!(language, "eng");
    assert_eq!(setting.vault.events(event.aggregate_id.parse().unwrap(), "DocumentInspected").await, 1);
    assert_eq!(setting.consumer.blobs.head(key).await.unwrap().size, *bytes);
    let text: String = sqlx::query_scalar("SELECT text FROM document_texts").fetch_one(&pool).await.unwrap();
    assert_eq!(text.trim(), TEXT);

    let events = setting.consumer.store.read(event.position, 10).await.unwrap();
    let inspected = events.last().unwrap();
    assert_eq!(inspected.metadata["causation_id"], event.event_id.to_string());
    assert_eq!(inspected.metadata["correlation_id"], event.metadata["correlation_id"]);
    assert_eq!(inspected.metadata["actor"], "system:classification");
    let stored: String =
        sqlx::query_scalar("SELECT payload::text FROM events ORDER BY position DESC LIMIT 1")
            .fetch_one(&pool)
            .await
            .unwrap();
    assert!(!stored.contains("rent"), "no text in the log: {stored}");
}

#[sqlx::test(migrations = "./migrations")]
async fn a_look_does_not_get_between_people_and_their_entity_tag(pool: PgPool) {
    let setting = Setting::open(&pool).await;
    let document = setting.user.upload("a.txt", TEXT.as_bytes()).await;
    let path = format!("/documents/{}", document["document_id"].as_str().unwrap());
    let before = setting.user.get(&path).await;
    setting.consumer.classify(&setting.completed().await).await.unwrap();
    let sniffed = "SELECT EXISTS (SELECT FROM document_listing WHERE sniffed_type = 'text/plain')";
    eventually("listed", async || sqlx::query_scalar(sniffed).fetch_one(&pool).await.unwrap()).await;
    let after = setting.user.get(&path).await;
    assert_eq!((&after.body, &after.headers["etag"]), (&before.body, &before.headers["etag"]));
    let tag = [("if-match", before.headers["etag"].to_str().unwrap())];
    let name = serde_json::json!({ "name": "b.txt" });
    let renamed = setting.user.send(http::Method::PATCH, &path, &tag, name).await;
    assert_eq!(renamed.status, http::StatusCode::OK, "{renamed:?}");
}

/// U02
#[sqlx::test(migrations = "./migrations")]
async fn a_page_that_calls_itself_text_is_not_shown_inline_once_it_is_known(pool: PgPool) {
    let setting = Setting::open(&pool).await;
    let document = setting.user.upload("a.txt", b"<!DOCTYPE html><script>alert(1)</script>").await;
    let path = format!("/documents/{}/content?disposition=inline", document["document_id"].as_str().unwrap());
    setting.consumer.classify(&setting.completed().await).await.unwrap();
    eventually("sniffed", async || {
        let json = [("accept", "application/json")];
        let link = setting.user.send(http::Method::GET, &path, &json, Value::Null).await;
        link.body["url"].as_str().unwrap().contains("attachment")
    })
    .await;
}

/// U08: what cannot be read is recorded with its reason, also what is too large to be fetched.
#[sqlx::test(migrations = "./migrations")]
async fn what_is_not_inspected_says_why(pool: PgPool) {
    let mut setting = Setting::open(&pool).await;
    let damaged = setting.user.upload("a.txt", b"%PDF-1.4 damaged").await;
    setting.consumer.classify(&setting.completed().await).await.unwrap();
    setting.consumer.inspector = Inspector::new(program(), Limits { file: 4, ..Limits::default() });
    let large = setting.user.upload("b.txt", b"hello").await;
    setting.consumer.classify(&setting.completed().await).await.unwrap();
    for (document, reason) in [(damaged, InspectionRefusal::Malformed), (large, InspectionRefusal::TooLarge)]
    {
        let state = setting.state(&document).await;
        assert_eq!(inspection_of(&state), Some(&Inspection::NotInspected { reason }));
    }
    assert_eq!(setting.texts().await, 0);
}

/// Invariant: the bucket holds what the log says. The purge comes before the look, or in the middle of it.
#[sqlx::test(migrations = "./migrations")]
async fn nothing_is_left_of_a_document_that_is_purged_meanwhile(pool: PgPool) {
    let setting = Setting::open(&pool).await;
    setting.vault.start_processes();
    let document = setting.user.upload("a.txt", TEXT.as_bytes()).await;
    let event = setting.completed().await;
    setting.purge(&document).await;
    eventually("deleted", async || setting.vault.objects.keys().await.is_empty()).await;
    // A crash of an earlier try left both.
    let key = keys::derived(setting.user.id, document["document_id"].as_str().unwrap().parse().unwrap(), {
        setting.state(&document).await.request().unwrap().upload_id
    });
    setting.consumer.blobs.put_text(&key, TEXT).await.unwrap();
    setting.consumer.classify(&event).await.unwrap();
    assert_eq!(setting.vault.objects.keys().await, Vec::<String>::new());

    let document = setting.user.upload("b.txt", TEXT.as_bytes()).await;
    let event = setting.completed().await;
    let finding = setting.consumer.look(setting.state(&document).await.request().unwrap()).await.unwrap();
    setting.purge(&document).await;
    let upload = Upload {
        owner: setting.user.id,
        document: event.aggregate_id.parse().unwrap(),
        id: setting.state(&document).await.request().unwrap().upload_id,
    };
    setting.consumer.keep(upload, &event, finding).await.unwrap();
    eventually("deleted", async || setting.vault.objects.keys().await.is_empty()).await;
    assert_eq!(setting.texts().await, 0);
}

#[sqlx::test(migrations = "./migrations")]
async fn a_purge_takes_the_derived_object_and_the_text_along(pool: PgPool) {
    let setting = Setting::open(&pool).await;
    setting.vault.start_processes();
    let document = setting.user.upload("a.txt", TEXT.as_bytes()).await;
    setting.consumer.classify(&setting.completed().await).await.unwrap();
    assert_eq!((setting.vault.objects.keys().await.len(), setting.texts().await), (2, 1));
    assert_eq!(setting.user.get("/quota").await.body["used"], TEXT.len(), "derived objects do not count");
    setting.purge(&document).await;
    eventually("nothing is left", async || {
        setting.vault.objects.keys().await.is_empty() && setting.texts().await == 0
    })
    .await;
}

/// A crash between the derived object and the command, of a document that is then purged: the sweeper's.
#[sqlx::test(migrations = "./migrations")]
async fn the_sweeper_finds_what_a_crash_left_and_spares_what_is_needed(pool: PgPool) {
    let setting = Setting::open(&pool).await;
    let (store, blobs) = (&setting.consumer.store, &setting.consumer.blobs);
    setting.vault.objects.backdate(chrono::TimeDelta::hours(27));
    let kept = setting.user.upload("kept.txt", TEXT.as_bytes()).await;
    setting.consumer.classify(&setting.completed().await).await.unwrap();
    let gone = setting.user.upload("gone.txt", TEXT.as_bytes()).await;
    let event = setting.completed().await;
    let upload_id = setting.state(&gone).await.request().unwrap().upload_id;
    setting.purge(&gone).await;
    let document: DocumentId = event.aggregate_id.parse().unwrap();
    let key = keys::derived(setting.user.id, document, upload_id);
    blobs.put_text(&key, TEXT).await.unwrap();
    let text = crate::inspection::Text { language: "eng".into(), text: TEXT.into() };
    texts::store(store, setting.user.id, document, upload_id, &text).await.unwrap();
    setting.vault.objects.backdate(chrono::TimeDelta::zero());
    setting.vault.advance(chrono::TimeDelta::hours(27));

    let swept = sweep(store, blobs, Ages::default()).await.unwrap();
    assert_eq!(swept.texts, 1);
    let left = setting.vault.objects.keys().await;
    assert!(!left.contains(&key), "{left:?}");
    let state = setting.state(&kept).await;
    assert!(left.contains(&inspection_of(&state).unwrap().key().unwrap().to_owned()), "{left:?}");
    assert!(left.contains(&state.request().unwrap().object_key), "{left:?}");
    // Nor does a listing that has lost everything cost anybody their text.
    sqlx::query("DELETE FROM document_listing").execute(store.pool()).await.unwrap();
    sweep(store, blobs, Ages::default()).await.unwrap();
    assert_eq!(setting.vault.objects.keys().await, left);
    assert_eq!(setting.texts().await, 1);
}

/// F06: a store that is away is waited for, and not held against the upload.
#[sqlx::test(migrations = "./migrations")]
async fn a_store_that_is_away_costs_no_try(pool: PgPool) {
    let mut setting = Setting::open(&pool).await;
    setting.user.upload("a.txt", TEXT.as_bytes()).await;
    let event = setting.completed().await;
    setting.vault.objects.go_down().await;
    let away = setting.consumer.handle(event.clone()).await;
    assert!(matches!(away, Err(Trouble::Unavailable(_))), "{away:?}");
    setting.vault.objects.come_back().await;
    setting.consumer.handle(event).await.unwrap();
}
