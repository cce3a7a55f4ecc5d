//! The log by position.

use std::collections::HashMap;

use aggregates::{Event, Part, UserId};
use chrono::{DateTime, Utc};
use cqrs_es::persist::{EventUpcaster, SerializedEvent};
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::leaf::Leaf;
use crate::seal::{self, Keys, SealError};
use crate::{EventStore, StoreError};

/// A row of the log as it is stored: sealed, with the exact texts that its leaf hash covers.
#[derive(Clone, Debug)]
pub struct RawEvent {
    pub position: i64,
    pub event_id: Uuid,
    pub owner_id: Uuid,
    pub aggregate_type: String,
    pub aggregate_id: String,
    pub sequence: i64,
    pub event_type: String,
    pub event_version: String,
    pub payload: String,
    pub metadata: String,
    pub recorded_at: DateTime<Utc>,
    pub leaf_hash: Vec<u8>,
}

type Fields = HashMap<String, String>;

/// An event of the log: decoded, upcast, its personal data open (or erased).
#[derive(Clone, Debug, PartialEq)]
pub struct RecordedEvent {
    pub position: i64,
    pub event_id: Uuid,
    pub owner_id: UserId,
    pub aggregate_id: String,
    pub sequence: i64,
    pub recorded_at: DateTime<Utc>,
    /// Flat strings: actor, correlation_id, causation_id, occurred_at, ip (open, if its key exists).
    pub metadata: Fields,
    pub part: Part,
    pub event: Event,
}

impl RawEvent {
    /// The `limit` events after position `after`.
    pub async fn after(
        connection: &mut PgConnection,
        after: i64,
        limit: i64,
    ) -> Result<Vec<Self>, sqlx::Error> {
        sqlx::query_as!(
            RawEvent,
            r#"SELECT position, event_id, owner_id, aggregate_type, aggregate_id, sequence, event_type, event_version,
                      payload::text AS "payload!", metadata::text AS "metadata!", recorded_at, leaf_hash
               FROM events WHERE position > $1 ORDER BY position LIMIT $2"#,
            after,
            limit
        )
        .fetch_all(connection)
        .await
    }

    /// The events after position `after` up to `through` of these types of aggregates (`None`: of all).
    pub async fn window(
        connection: &mut PgConnection,
        after: i64,
        through: i64,
        aggregates: Option<&[&str]>,
    ) -> Result<Vec<Self>, sqlx::Error> {
        let aggregates: Option<Vec<String>> =
            aggregates.map(|types| types.iter().map(|&of_type| of_type.into()).collect());
        sqlx::query_as!(
            RawEvent,
            r#"SELECT position, event_id, owner_id, aggregate_type, aggregate_id, sequence, event_type, event_version,
                      payload::text AS "payload!", metadata::text AS "metadata!", recorded_at, leaf_hash
               FROM events
               WHERE position > $1 AND position <= $2 AND ($3::text[] IS NULL OR aggregate_type = ANY($3))
               ORDER BY position"#,
            after,
            through,
            aggregates.as_deref()
        )
        .fetch_all(connection)
        .await
    }

    /// SHA-256(0x00 ‖ leaf) of what is stored, to compare with `leaf_hash`.
    pub fn hash(&self) -> [u8; 32] {
        Leaf {
            position: self.position,
            event_id: self.event_id,
            owner_id: self.owner_id,
            aggregate_type: &self.aggregate_type,
            aggregate_id: &self.aggregate_id,
            sequence: self.sequence,
            event_type: &self.event_type,
            event_version: &self.event_version,
            recorded_at_us: self.recorded_at.timestamp_micros(),
            payload: &self.payload,
            metadata: &self.metadata,
        }
        .hash()
    }

    /// Decodes without opening: personal values stay sealed, and no key is needed.
    pub fn decode_sealed(self, upcasters: &[Box<dyn EventUpcaster>]) -> Result<RecordedEvent, StoreError> {
        let (payload, metadata) =
            (serde_json::from_str(&self.payload)?, serde_json::from_str(&self.metadata)?);
        self.decode(payload, metadata, upcasters)
    }

    fn decode(
        self,
        payload: Value,
        metadata: Fields,
        upcasters: &[Box<dyn EventUpcaster>],
    ) -> Result<RecordedEvent, StoreError> {
        let position = self.position;
        let part = Part::of_stored(&metadata).map_err(|source| StoreError::Metadata { position, source })?;
        let stored = SerializedEvent {
            aggregate_id: self.aggregate_id.clone(),
            sequence: usize::try_from(self.sequence).unwrap_or(0),
            aggregate_type: self.aggregate_type,
            event_type: self.event_type,
            event_version: self.event_version,
            payload,
            metadata: Value::Null,
        };
        Ok(RecordedEvent {
            position,
            event_id: self.event_id,
            owner_id: UserId(self.owner_id),
            aggregate_id: self.aggregate_id,
            sequence: self.sequence,
            recorded_at: self.recorded_at,
            metadata,
            part,
            event: Event::decode(stored, upcasters)
                .map_err(|source| StoreError::Decode { position, source })?,
        })
    }
}

impl EventStore {
    /// The `limit` events after position `after`, opened. Keys are looked up once for all of them.
    pub async fn read(&self, after: i64, limit: i64) -> Result<Vec<RecordedEvent>, StoreError> {
        let mut connection = self.pool().acquire().await?;
        let raw = RawEvent::after(&mut connection, after, limit).await?;
        drop(connection);
        self.open(raw).await
    }

    /// Opens and decodes rows of the log.
    pub async fn open(&self, raw: Vec<RawEvent>) -> Result<Vec<RecordedEvent>, StoreError> {
        let mut contents = Vec::with_capacity(raw.len());
        let mut subjects = Vec::new();
        for (index, event) in raw.iter().enumerate() {
            breathe(index).await;
            let mut payload = serde_json::from_str(&event.payload)?;
            let metadata = serde_json::from_str(&event.metadata)?;
            subjects.append(&mut seal::subjects(&mut payload));
            subjects.extend(ip_subject(&metadata));
            contents.push((payload, metadata));
        }
        subjects.sort_unstable();
        subjects.dedup();
        let keys: Keys = self.keyring().user_keys(&subjects).await?.into_iter().collect();
        let mut open = Vec::with_capacity(raw.len());
        for (index, (event, (mut payload, mut metadata))) in raw.into_iter().zip(contents).enumerate() {
            breathe(index).await;
            let position = event.position;
            seal::open_payload(&keys, event.event_id, &mut payload)
                .and_then(|()| open_ip(&keys, event.event_id, &mut metadata))
                .map_err(|source| StoreError::Open { position, source })?;
            open.push(event.decode(payload, metadata, self.upcasters())?);
        }
        Ok(open)
    }

    /// The rows at these positions, as far as there are any.
    pub async fn read_at(&self, positions: &[i64]) -> Result<HashMap<i64, RawEvent>, StoreError> {
        let events = sqlx::query_as!(
            RawEvent,
            r#"SELECT position, event_id, owner_id, aggregate_type, aggregate_id, sequence, event_type, event_version,
                      payload::text AS "payload!", metadata::text AS "metadata!", recorded_at, leaf_hash
               FROM events WHERE position = ANY($1)"#,
            positions
        )
        .fetch_all(self.pool())
        .await?;
        Ok(events.into_iter().map(|event| (event.position, event)).collect())
    }

    /// Which history this log tells: another one after a restore from a backup.
    pub async fn lineage(&self) -> Result<Uuid, StoreError> {
        let lineage = sqlx::query_scalar!("SELECT lineage FROM log_identity");
        Ok(lineage.fetch_one(self.pool()).await?)
    }

    /// The newest position of the log; 0 when it is empty.
    pub async fn head(&self) -> Result<i64, StoreError> {
        let head = sqlx::query_scalar!(r#"SELECT coalesce(max(position), 0) AS "head!" FROM events"#);
        Ok(head.fetch_one(self.pool()).await?)
    }

    pub(crate) async fn position_of(&self, event_id: Option<Uuid>) -> Result<Option<i64>, StoreError> {
        let position = sqlx::query_scalar!("SELECT position FROM events WHERE event_id = $1", event_id);
        Ok(position.fetch_optional(self.pool()).await?)
    }
}

/// Lets others on this thread have their turn: requests must not wait until thousands of events are open.
async fn breathe(index: usize) {
    if index % 256 == 255 {
        tokio::task::yield_now().await;
    }
}

/// Whose address the metadata holds: the actor's.
fn ip_subject(metadata: &Fields) -> Option<UserId> {
    metadata.get("ip").and(metadata.get("actor"))?.strip_prefix("user:")?.parse().ok()
}

/// Opens the address in place; without its key it is gone.
fn open_ip(keys: &Keys, event_id: Uuid, metadata: &mut Fields) -> Result<(), SealError> {
    let (Some(subject), Some(sealed)) = (ip_subject(metadata), metadata.remove("ip")) else { return Ok(()) };
    if let Some(plain) = seal::open_value(keys, subject, event_id, seal::IP, &sealed)? {
        let open = String::from_utf8(plain.to_vec()).map_err(|_| SealError::Malformed)?;
        metadata.insert("ip".into(), open);
    }
    Ok(())
}
