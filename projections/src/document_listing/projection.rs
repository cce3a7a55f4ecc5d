//! The fold: the only writer of `document_listing`.

use std::collections::{HashMap, HashSet};

use aggregates::document::UploadRequest;
use aggregates::{Document, DocumentEvent, Event, Name};
use cqrs_es::Aggregate;
use event_store::RecordedEvent;
use futures::FutureExt;
use futures::future::BoxFuture;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{DocumentRow, Status, queries};
use crate::Projection;

/// Keeps `document_listing`.
pub struct DocumentListing;

impl Projection for DocumentListing {
    fn name(&self) -> &'static str {
        "document_listing"
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
    let mut changes = Vec::new();
    for event in events {
        if let Event::Document(change) = &event.event {
            changes.push((event.aggregate_id.parse::<Uuid>()?, event, change));
        }
    }
    if changes.is_empty() {
        return Ok(());
    }
    let before = stored(&changes);
    let loaded = queries::load(tx, generation, &before).await?;
    let mut rows: HashMap<Uuid, DocumentRow> = loaded.into_iter().map(|row| (row.document_id, row)).collect();
    for (id, event, change) in changes {
        apply(&mut rows, id, event, change);
    }
    let gone: Vec<Uuid> = before.into_iter().filter(|id| !rows.contains_key(id)).collect();
    sqlx::query!(
        "DELETE FROM document_listing WHERE generation = $1 AND document_id = ANY($2)",
        generation,
        &gone
    )
    .execute(&mut *tx)
    .await?;
    Ok(upsert(tx, generation, &rows.into_values().collect::<Vec<_>>()).await?)
}

/// The documents that have rows already: all but those whose first change in the batch is their first one ever.
fn stored(changes: &[(Uuid, &RecordedEvent, &DocumentEvent)]) -> Vec<Uuid> {
    let mut seen = HashSet::new();
    let first = changes.iter().filter(|(id, ..)| seen.insert(*id));
    first
        .filter(|(_, _, change)| !matches!(change, DocumentEvent::UploadRequested(_)))
        .map(|(id, ..)| *id)
        .collect()
}

fn apply(rows: &mut HashMap<Uuid, DocumentRow>, id: Uuid, event: &RecordedEvent, change: &DocumentEvent) {
    if let DocumentEvent::UploadRequested(request) = change {
        rows.insert(id, requested(id, event, request));
        return;
    }
    let Some(row) = rows.get_mut(&id) else { return };
    row.position = event.position;
    // A look into the bytes changes nothing for people: it must not get between them and their entity tag.
    if let DocumentEvent::DocumentInspected { content_type, inspection, .. } = change {
        row.sniffed_type = Some(content_type.clone());
        row.derived_key = inspection.key().map(str::to_owned);
        return;
    }
    row.updated_at = event.recorded_at;
    row.revision += 1;
    match change {
        DocumentEvent::UploadRequested(_) | DocumentEvent::DocumentInspected { .. } => {}
        DocumentEvent::VerificationStarted { .. } => row.status = Status::Verifying,
        DocumentEvent::UploadCompleted { version, bytes, .. } => {
            row.status = Status::Active;
            row.version = i32::try_from(*version).unwrap_or(i32::MAX);
            row.size = bytes_of(*bytes);
            row.uploaded_at = Some(event.recorded_at);
        }
        DocumentEvent::UploadRejected { .. } => row.status = Status::Rejected,
        DocumentEvent::DocumentRenamed { name } => {
            row.name = crate::shown(name, Name::as_str);
            row.sort_name = row.name.to_lowercase();
        }
        DocumentEvent::DocumentTrashed { .. } => row.status = Status::Trashed,
        DocumentEvent::DocumentRestored { .. } => row.status = Status::Active,
        DocumentEvent::UploadCancelled { .. }
        | DocumentEvent::UploadExpired { .. }
        | DocumentEvent::DocumentPurged { .. } => {
            rows.remove(&id);
        }
    }
}

fn requested(id: Uuid, event: &RecordedEvent, request: &UploadRequest) -> DocumentRow {
    let name = crate::shown(&request.name, Name::as_str);
    DocumentRow {
        document_id: id,
        owner_id: request.owner_id.0,
        sort_name: name.to_lowercase(),
        name,
        content_type: request.content_type.clone(),
        size: bytes_of(request.size),
        sha256: crate::shown(&request.content_hash.sha256, String::as_str),
        folder_id: request.folder_id.map(|folder| folder.0),
        status: Status::Pending,
        version: 1,
        created_at: event.recorded_at,
        updated_at: event.recorded_at,
        uploaded_at: None,
        upload_id: request.upload_id.0,
        object_key: request.object_key.clone(),
        sniffed_type: None,
        derived_key: None,
        expires_at: request.expires_at,
        position: event.position,
        revision: 1,
    }
}

fn bytes_of(size: u64) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}

async fn upsert(tx: &mut PgConnection, generation: i64, rows: &[DocumentRow]) -> Result<(), sqlx::Error> {
    fn column<'a, T>(rows: &'a [DocumentRow], of: impl Fn(&'a DocumentRow) -> T) -> Vec<T> {
        rows.iter().map(of).collect()
    }
    sqlx::query!(
        "INSERT INTO document_listing (generation, document_id, owner_id, name, sort_name, content_type, size, sha256,
             folder_id, status, version, created_at, updated_at, uploaded_at, upload_id, object_key, expires_at, position,
             sniffed_type, derived_key, revision)
         SELECT $21, * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::text[],
             $8::uuid[], $9::text[], $10::integer[], $11::timestamptz[], $12::timestamptz[], $13::timestamptz[],
             $14::uuid[], $15::text[], $16::timestamptz[], $17::bigint[], $18::text[], $19::text[], $20::bigint[])
         ON CONFLICT (generation, document_id) DO UPDATE SET
             name = excluded.name, sort_name = excluded.sort_name, size = excluded.size,
             folder_id = excluded.folder_id, status = excluded.status, version = excluded.version,
             updated_at = excluded.updated_at, uploaded_at = excluded.uploaded_at, position = excluded.position,
             sniffed_type = excluded.sniffed_type, derived_key = excluded.derived_key, revision = excluded.revision",
        &column(rows, |row| row.document_id),
        &column(rows, |row| row.owner_id),
        &column(rows, |row| row.name.as_str()) as &[&str],
        &column(rows, |row| row.sort_name.as_str()) as &[&str],
        &column(rows, |row| row.content_type.as_str()) as &[&str],
        &column(rows, |row| row.size),
        &column(rows, |row| row.sha256.as_str()) as &[&str],
        &column(rows, |row| row.folder_id) as &[Option<Uuid>],
        &column(rows, |row| row.status.as_str()) as &[&str],
        &column(rows, |row| row.version),
        &column(rows, |row| row.created_at),
        &column(rows, |row| row.updated_at),
        &column(rows, |row| row.uploaded_at) as &[Option<chrono::DateTime<chrono::Utc>>],
        &column(rows, |row| row.upload_id),
        &column(rows, |row| row.object_key.as_str()) as &[&str],
        &column(rows, |row| row.expires_at),
        &column(rows, |row| row.position),
        &column(rows, |row| row.sniffed_type.as_deref()) as &[Option<&str>],
        &column(rows, |row| row.derived_key.as_deref()) as &[Option<&str>],
        &column(rows, |row| row.revision),
        generation,
    )
    .execute(tx)
    .await?;
    Ok(())
}
