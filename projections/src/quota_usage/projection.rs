//! The fold: the only writer of `quota_usage`.

use std::collections::HashMap;

use aggregates::document::Stage;
use aggregates::{Document, DocumentEvent, Event, Quota, QuotaEvent};
use cqrs_es::Aggregate;
use event_store::RecordedEvent;
use futures::FutureExt;
use futures::future::BoxFuture;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{QuotaRow, queries};
use crate::Projection;

/// Keeps `quota_usage`.
pub struct QuotaUsage;

impl Projection for QuotaUsage {
    fn name(&self) -> &'static str {
        "quota_usage"
    }

    fn aggregates(&self) -> Option<&'static [&'static str]> {
        Some(&[Document::TYPE, Quota::TYPE])
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
    let mut touched: Vec<Uuid> = events
        .iter()
        .filter(|event| matches!(event.event, Event::Document(_) | Event::Quota(_)))
        .map(|event| event.owner_id.0)
        .collect();
    touched.sort_unstable();
    touched.dedup();
    if touched.is_empty() {
        return Ok(());
    }
    let loaded = queries::load(tx, generation, &touched).await?;
    let mut rows: HashMap<Uuid, QuotaRow> = loaded.into_iter().map(|row| (row.user_id, row)).collect();
    for event in events {
        let owner = event.owner_id.0;
        match &event.event {
            Event::Quota(change) => apply_quota(row_of(&mut rows, owner), change)?,
            Event::Document(change) => apply_document(row_of(&mut rows, owner), change)?,
            Event::User(_) | Event::Access(_) | Event::Log(_) => {}
        }
    }
    Ok(upsert(tx, generation, &rows.into_values().collect::<Vec<_>>()).await?)
}

fn row_of(rows: &mut HashMap<Uuid, QuotaRow>, user_id: Uuid) -> &mut QuotaRow {
    rows.entry(user_id).or_insert_with(|| QuotaRow { user_id, ..QuotaRow::default() })
}

fn apply_quota(row: &mut QuotaRow, change: &QuotaEvent) -> anyhow::Result<()> {
    match *change {
        QuotaEvent::QuotaOpened { limit } | QuotaEvent::LimitChanged { limit } => {
            row.limit = i64::try_from(limit)?;
        }
        QuotaEvent::SpaceReserved { bytes, .. } => row.reserved += i64::try_from(bytes)?,
        QuotaEvent::SpaceCommitted { bytes, .. } => {
            row.reserved -= i64::try_from(bytes)?;
            row.used += i64::try_from(bytes)?;
        }
        QuotaEvent::SpaceReleased { bytes, .. } => row.reserved -= i64::try_from(bytes)?,
        QuotaEvent::SpaceFreed { bytes, .. } => row.used -= i64::try_from(bytes)?,
    }
    Ok(())
}

fn apply_document(row: &mut QuotaRow, change: &DocumentEvent) -> anyhow::Result<()> {
    match *change {
        DocumentEvent::UploadCompleted { .. } => row.documents += 1,
        DocumentEvent::DocumentTrashed { bytes } => row.trashed_bytes += i64::try_from(bytes)?,
        DocumentEvent::DocumentRestored { bytes } => row.trashed_bytes -= i64::try_from(bytes)?,
        DocumentEvent::DocumentPurged { from, bytes, .. } => {
            row.documents -= i64::from(from.is_retained());
            if from == Stage::Trashed {
                row.trashed_bytes -= i64::try_from(bytes)?;
            }
        }
        DocumentEvent::UploadRequested(_)
        | DocumentEvent::VerificationStarted { .. }
        | DocumentEvent::UploadRejected { .. }
        | DocumentEvent::UploadCancelled { .. }
        | DocumentEvent::UploadExpired { .. }
        | DocumentEvent::DocumentInspected { .. }
        | DocumentEvent::DocumentRenamed { .. } => {}
    }
    Ok(())
}

async fn upsert(tx: &mut PgConnection, generation: i64, rows: &[QuotaRow]) -> Result<(), sqlx::Error> {
    fn column<'a, T>(rows: &'a [QuotaRow], of: impl Fn(&'a QuotaRow) -> T) -> Vec<T> {
        rows.iter().map(of).collect()
    }
    sqlx::query!(
        "INSERT INTO quota_usage (generation, user_id, quota_limit, used, reserved, documents, trashed_bytes)
         SELECT $7, * FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[])
         ON CONFLICT (generation, user_id) DO UPDATE SET
             quota_limit = excluded.quota_limit, used = excluded.used, reserved = excluded.reserved,
             documents = excluded.documents, trashed_bytes = excluded.trashed_bytes",
        &column(rows, |row| row.user_id),
        &column(rows, |row| row.limit),
        &column(rows, |row| row.used),
        &column(rows, |row| row.reserved),
        &column(rows, |row| row.documents),
        &column(rows, |row| row.trashed_bytes),
        generation,
    )
    .execute(tx)
    .await?;
    Ok(())
}
