//! The fold: the only writer of `document_search`.

use std::collections::HashMap;

use aggregates::{Document, DocumentEvent, Event, Name};
use cqrs_es::Aggregate;
use event_store::RecordedEvent;
use futures::FutureExt;
use futures::future::BoxFuture;
use sqlx::PgConnection;
use uuid::Uuid;

use super::stemmer::configuration;
use super::words::to_words;
use super::{SearchRow, queries};
use crate::Projection;
use crate::document_listing::Shelf;

/// Documents whose texts are in memory at a time.
const AT_ONCE: usize = 32;

/// Keeps `document_search`.
pub struct DocumentSearch;

impl Projection for DocumentSearch {
    fn name(&self) -> &'static str {
        "document_search"
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
            changes.push((event.aggregate_id.parse::<Uuid>()?, change));
        }
    }
    let mut touched: Vec<Uuid> = changes.iter().map(|(id, _)| *id).collect();
    touched.sort_unstable();
    touched.dedup();
    if touched.is_empty() {
        return Ok(());
    }
    let before: HashMap<Uuid, SearchRow> = queries::load(tx, generation, &touched)
        .await?
        .into_iter()
        .map(|row| (row.document_id, row))
        .collect();
    let mut rows = before.clone();
    let mut purged = Vec::new();
    for (id, change) in changes {
        apply(&mut rows, id, change);
        if matches!(change, DocumentEvent::DocumentPurged { .. }) {
            purged.push(id);
        }
    }
    let gone: Vec<Uuid> = touched.into_iter().filter(|id| !rows.contains_key(id)).collect();
    remove(tx, generation, &gone, &purged).await?;

    // Words stay as they are unless the name or the text is another.
    let same_words = |row: &SearchRow| {
        before.get(&row.document_id).is_some_and(|old| old.name == row.name && old.upload_id == row.upload_id)
    };
    let (moved, mut reworded): (Vec<_>, Vec<_>) = rows.into_values().partition(same_words);
    put_on_shelves(tx, generation, &moved).await?;
    reworded.sort_unstable_by_key(|row| row.document_id);
    for rows in reworded.chunks(AT_ONCE) {
        upsert(tx, generation, rows).await?;
    }
    Ok(())
}

fn apply(rows: &mut HashMap<Uuid, SearchRow>, id: Uuid, change: &DocumentEvent) {
    if let DocumentEvent::UploadRequested(request) = change {
        let row = SearchRow {
            document_id: id,
            owner_id: request.owner_id.0,
            shelf: Shelf::Pending.as_str().into(),
            name: crate::shown(&request.name, Name::as_str),
            upload_id: None,
        };
        rows.insert(id, row);
        return;
    }
    let Some(row) = rows.get_mut(&id) else { return };
    match change {
        DocumentEvent::UploadRequested(_)
        | DocumentEvent::VerificationStarted { .. }
        | DocumentEvent::UploadRejected { .. } => {}
        DocumentEvent::UploadCompleted { .. } | DocumentEvent::DocumentRestored { .. } => {
            row.shelf = Shelf::Active.as_str().into();
        }
        DocumentEvent::DocumentTrashed { .. } => row.shelf = Shelf::Trashed.as_str().into(),
        DocumentEvent::DocumentInspected { upload_id, inspection, .. } => {
            row.upload_id = inspection.key().map(|_| upload_id.0);
        }
        DocumentEvent::DocumentRenamed { name } => row.name = crate::shown(name, Name::as_str),
        DocumentEvent::UploadCancelled { .. }
        | DocumentEvent::UploadExpired { .. }
        | DocumentEvent::DocumentPurged { .. } => {
            rows.remove(&id);
        }
    }
}

async fn remove(
    tx: &mut PgConnection,
    generation: i64,
    gone: &[Uuid],
    purged: &[Uuid],
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "DELETE FROM document_search WHERE generation = $1 AND document_id = ANY($2)",
        generation,
        gone
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!("DELETE FROM document_texts WHERE document_id = ANY($1)", purged).execute(tx).await?;
    Ok(())
}

async fn put_on_shelves(
    tx: &mut PgConnection,
    generation: i64,
    rows: &[SearchRow],
) -> Result<(), sqlx::Error> {
    let ids: Vec<Uuid> = rows.iter().map(|row| row.document_id).collect();
    let shelves: Vec<&str> = rows.iter().map(|row| row.shelf.as_str()).collect();
    sqlx::query!(
        "UPDATE document_search SET shelf = row.shelf
         FROM unnest($2::uuid[], $3::text[]) AS row (document_id, shelf)
         WHERE document_search.generation = $1 AND document_search.document_id = row.document_id
           AND document_search.shelf <> row.shelf",
        generation,
        &ids,
        &shelves as &[&str]
    )
    .execute(tx)
    .await?;
    Ok(())
}

async fn upsert(tx: &mut PgConnection, generation: i64, rows: &[SearchRow]) -> Result<(), sqlx::Error> {
    fn column<'a, T>(rows: &'a [SearchRow], value: impl Fn(&'a SearchRow) -> T) -> Vec<T> {
        rows.iter().map(value).collect()
    }
    let texts = queries::load_texts(tx, rows).await?;
    let text_of = |row: &SearchRow| texts.get(&row.document_id);
    sqlx::query!(
        "INSERT INTO document_search (generation, document_id, owner_id, shelf, name, upload_id, configuration,
             name_vector, vector)
         SELECT $1, document_id, owner_id, shelf, name, upload_id, configuration,
                search_vector(configuration::regconfig, name_words, ''),
                search_vector(configuration::regconfig, name_words, text_words)
         FROM unnest($2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::uuid[], $7::text[], $8::text[], $9::text[])
              AS row (document_id, owner_id, shelf, name, upload_id, configuration, name_words, text_words)
         ON CONFLICT (generation, document_id) DO UPDATE SET
             shelf = excluded.shelf, name = excluded.name, upload_id = excluded.upload_id,
             configuration = excluded.configuration, name_vector = excluded.name_vector, vector = excluded.vector",
        generation,
        &column(rows, |row| row.document_id),
        &column(rows, |row| row.owner_id),
        &column(rows, |row| row.shelf.as_str()) as &[&str],
        &column(rows, |row| row.name.as_str()) as &[&str],
        &column(rows, |row| row.upload_id) as &[Option<Uuid>],
        &column(rows, |row| text_of(row).map_or("simple", |text| configuration(&text.language))) as &[&str],
        &column(rows, |row| to_words(&row.name)),
        &column(rows, |row| text_of(row).map(|text| to_words(&text.beginning)).unwrap_or_default()),
    )
    .execute(tx)
    .await?;
    Ok(())
}
