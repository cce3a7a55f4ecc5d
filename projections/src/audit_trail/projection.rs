//! The fold: the only writer of `audit_trail`. Each event is a row.

use aggregates::{AccessEvent, Event};
use cqrs_es::DomainEvent;
use event_store::RecordedEvent;
use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::{Map, Value};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::Projection;
use crate::document_history::type_name;

/// Of the table and its checkpoint.
pub const NAME: &str = "audit_trail";

/// Keeps `audit_trail`.
pub struct AuditTrail;

impl Projection for AuditTrail {
    fn name(&self) -> &'static str {
        NAME
    }

    fn aggregates(&self) -> Option<&'static [&'static str]> {
        None
    }

    fn serves_requests(&self) -> bool {
        false
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
        let entry = Entry::of(event)?;
        columns.positions.push(event.position);
        columns.event_ids.push(event.event_id);
        columns.times.push(event.recorded_at);
        columns.actors.push(event.metadata.get("actor").cloned().unwrap_or_default());
        columns.types.push(entry.r#type);
        columns.subjects.push(entry.subject);
        columns.documents.push(entry.document_id);
        columns.ips.push(event.metadata.get("ip").cloned());
        columns.details.push(entry.details);
    }
    sqlx::query!(
        "INSERT INTO audit_trail (generation, position, event_id, at, actor, type, subject, document_id, ip, details)
         SELECT $10, * FROM unnest($1::bigint[], $2::uuid[], $3::timestamptz[], $4::text[], $5::text[], $6::text[],
                               $7::uuid[], $8::text[], $9::jsonb[])",
        &columns.positions,
        &columns.event_ids,
        &columns.times,
        &columns.actors,
        &columns.types,
        &columns.subjects,
        &columns.documents as &[Option<Uuid>],
        &columns.ips as &[Option<String>],
        &columns.details,
        generation,
    )
    .execute(tx)
    .await?;
    Ok(())
}

#[derive(Default)]
struct Columns {
    positions: Vec<i64>,
    event_ids: Vec<Uuid>,
    times: Vec<chrono::DateTime<chrono::Utc>>,
    actors: Vec<String>,
    types: Vec<String>,
    subjects: Vec<String>,
    documents: Vec<Option<Uuid>>,
    ips: Vec<Option<String>>,
    details: Vec<Value>,
}

/// What an event is, and what it happened to.
struct Entry {
    r#type: String,
    subject: String,
    document_id: Option<Uuid>,
    details: Value,
}

impl Entry {
    fn of(event: &RecordedEvent) -> anyhow::Result<Self> {
        let id = &event.aggregate_id;
        Ok(match &event.event {
            Event::Document(change) => Self::about_document(id.parse()?, change)?,
            Event::User(change) => Self::about(format!("user:{id}"), change)?,
            Event::Quota(change) => Self::about(format!("quota:{id}"), change)?,
            Event::Access(change @ AccessEvent::DocumentDownloaded { document_id }) => {
                Self::about_document(document_id.0, change)?
            }
            Event::Access(change) => Self::about(format!("user:{}", event.owner_id), change)?,
            Event::Log(change) => Self::about("log".into(), change)?,
        })
    }

    fn about_document(id: Uuid, event: &impl DomainEvent) -> anyhow::Result<Self> {
        Ok(Self { document_id: Some(id), ..Self::about(format!("document:{id}"), event)? })
    }

    fn about(subject: String, event: &impl DomainEvent) -> anyhow::Result<Self> {
        let details = details(serde_json::to_value(event)?);
        Ok(Self { r#type: type_name(&event.event_type()), subject, document_id: None, details })
    }
}

/// The fields of `{"Variant": {…}}` without personal values and without what is not there.
fn details(event: Value) -> Value {
    let fields = match event {
        Value::Object(variant) => variant.into_iter().next().map(|(_, fields)| fields),
        _ => None,
    };
    fields.and_then(impersonal).unwrap_or_else(|| Value::Object(Map::new()))
}

/// `None`: a personal value, which is stored as `{"subject", "open" | "sealed" | "erased"}`, or nothing at all.
fn impersonal(value: Value) -> Option<Value> {
    match value {
        Value::Object(fields) if is_personal(&fields) => None,
        Value::Object(fields) => Some(Value::Object(
            fields.into_iter().filter_map(|(name, value)| Some((name, impersonal(value)?))).collect(),
        )),
        Value::Array(values) => Some(values.into_iter().filter_map(impersonal).collect()),
        Value::Null => None,
        other => Some(other),
    }
}

fn is_personal(fields: &Map<String, Value>) -> bool {
    fields.len() == 2
        && fields.contains_key("subject")
        && ["open", "sealed", "erased"].iter().any(|state| fields.contains_key(*state))
}
