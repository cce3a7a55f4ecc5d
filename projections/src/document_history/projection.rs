//! The fold: the only writer of `document_history`. Each event is a row.

use aggregates::document::Inspection;
use aggregates::{Document, DocumentEvent, Event, Name, Personal};
use cqrs_es::{Aggregate, DomainEvent};
use event_store::RecordedEvent;
use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::{Map, Value, json};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::Projection;

/// Keeps `document_history`.
pub struct DocumentHistory;

impl Projection for DocumentHistory {
    fn name(&self) -> &'static str {
        "document_history"
    }

    fn aggregates(&self) -> Option<&'static [&'static str]> {
        Some(&[Document::TYPE])
    }

    fn fold<'a>(
        &'a self,
        tx: &'a mut PgConnection,
        generation: i64,
        events: &'a [RecordedEvent],
    ) -> BoxFuture<'a, anyhow::Result<()>> {
        fold(tx, generation, events).boxed()
    }
}

async fn fold(tx: &mut PgConnection, generation: i64, events: &[RecordedEvent]) -> anyhow::Result<()> {
    let mut columns = Columns::default();
    for event in events {
        if let Event::Document(change) = &event.event {
            columns.document_ids.push(event.aggregate_id.parse()?);
            columns.positions.push(event.position);
            columns.owners.push(event.owner_id.0);
            columns.times.push(event.recorded_at);
            columns.actors.push(event.metadata.get("actor").cloned().unwrap_or_default());
            columns.types.push(type_name(&change.event_type()));
            columns.changes.push(changes(change));
        }
    }
    if columns.positions.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "INSERT INTO document_history (generation, document_id, position, owner_id, at, actor, type, changes)
         SELECT $8, * FROM unnest($1::uuid[], $2::bigint[], $3::uuid[], $4::timestamptz[], $5::text[], $6::text[],
                              $7::jsonb[])",
        &columns.document_ids,
        &columns.positions,
        &columns.owners,
        &columns.times,
        &columns.actors,
        &columns.types,
        &columns.changes,
        generation,
    )
    .execute(tx)
    .await?;
    Ok(())
}

#[derive(Default)]
struct Columns {
    document_ids: Vec<Uuid>,
    positions: Vec<i64>,
    owners: Vec<Uuid>,
    times: Vec<chrono::DateTime<chrono::Utc>>,
    actors: Vec<String>,
    types: Vec<String>,
    changes: Vec<Value>,
}

/// An event's type in snake case.
pub fn type_name(event_type: &str) -> String {
    let mut name = String::with_capacity(event_type.len() + 4);
    for (index, letter) in event_type.char_indices() {
        if letter.is_ascii_uppercase() && index > 0 {
            name.push('_');
        }
        name.push(letter.to_ascii_lowercase());
    }
    name
}

/// What an event changed, as people think of it; no keys, no nonces.
pub fn changes(event: &DocumentEvent) -> Value {
    let mut changes = Map::new();
    if let Some(stage) = event.leads_to() {
        changes.insert("status".into(), json!(stage));
    }
    match event {
        DocumentEvent::UploadRequested(request) => {
            changes.insert("name".into(), name(&request.name));
            changes.insert("content_type".into(), json!(request.content_type));
            changes.insert("size".into(), json!(request.size));
            if let Some(folder) = request.folder_id {
                changes.insert("folder_id".into(), json!(folder));
            }
        }
        DocumentEvent::UploadCompleted { version, bytes, .. } => {
            changes.insert("version".into(), json!(version));
            changes.insert("size".into(), json!(bytes));
        }
        DocumentEvent::DocumentInspected { content_type, inspection, .. } => {
            changes.insert("content_type".into(), json!(content_type));
            match inspection {
                Inspection::TextExtracted { language, characters, .. } => {
                    changes.insert("language".into(), json!(language));
                    changes.insert("characters".into(), json!(characters));
                }
                Inspection::NotInspected { reason } => {
                    changes.insert("not_inspected".into(), json!(reason));
                }
            }
        }
        DocumentEvent::UploadRejected { reason, .. } => {
            changes.insert("reason".into(), json!(reason));
        }
        DocumentEvent::DocumentRenamed { name: new } => {
            changes.insert("name".into(), name(new));
        }
        DocumentEvent::DocumentPurged { bytes, .. } => {
            changes.insert("freed".into(), json!(bytes));
        }
        DocumentEvent::VerificationStarted { .. }
        | DocumentEvent::UploadCancelled { .. }
        | DocumentEvent::UploadExpired { .. }
        | DocumentEvent::DocumentTrashed { .. }
        | DocumentEvent::DocumentRestored { .. } => {}
    }
    Value::Object(changes)
}

fn name(name: &Personal<Name>) -> Value {
    crate::shown(name, Name::as_str).into()
}
