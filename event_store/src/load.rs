//! From a stream to an aggregate: a snapshot if there is a good one, and the events after it.

use std::ops::Deref;

use aggregates::{UserId, state_version};
use cqrs_es::Aggregate;
use cqrs_es::persist::SerializedEvent;
use uuid::Uuid;

use crate::append::{Head, StreamId};
use crate::seal::{self, Keys};
use crate::snapshot::{self, Snapshot};
use crate::{EventStore, StoreError};

/// An aggregate and its place in a [`crate::Unit`].
pub struct Loaded<A> {
    pub(crate) index: usize,
    pub(crate) state: A,
}

impl<A> Deref for Loaded<A> {
    type Target = A;

    fn deref(&self) -> &A {
        &self.state
    }
}

/// An event of a stream; or first, with `snapshot`, the last event that a snapshot holds.
struct Row {
    position: i64,
    event_id: Uuid,
    sequence: i64,
    owner_id: Uuid,
    event_type: String,
    event_version: String,
    payload: String,
    snapshot: Option<Vec<u8>>,
}

impl EventStore {
    /// Loads an aggregate by folding its stream; the state and the sequence of its last event (0: no such stream).
    pub async fn load<A: Aggregate>(&self, aggregate_id: &str) -> Result<(A, i64), StoreError> {
        let stream = StreamId { aggregate_type: A::TYPE, aggregate_id: aggregate_id.into() };
        let (state, head) = self.load_stream(&stream).await?;
        Ok((state, head.sequence))
    }

    pub(crate) async fn load_stream<A: Aggregate>(&self, stream: &StreamId) -> Result<(A, Head), StoreError> {
        let mut rows = self.rows(stream, state_version(A::TYPE)).await?;
        let (mut state, mut head) = (A::default(), Head::default());
        if let Some(Row { snapshot: Some(sealed), sequence, event_id, owner_id, .. }) = rows.first() {
            let last = (*sequence, *event_id);
            match snapshot::open(self.keyring(), stream, last, UserId(*owner_id), sealed).await? {
                Some(kept) => {
                    (state, head) = (kept, Head { sequence: *sequence, event_id: Some(*event_id) });
                    rows.remove(0);
                }
                None => rows = self.rows(stream, None).await?,
            }
        }
        let (before, owner) = (head.sequence, rows.last().map(|row| UserId(row.owner_id)));
        self.fold(stream, &mut state, &mut head, rows).await?;
        if let (Some(owner), Some(event_id)) = (owner, head.event_id)
            && snapshot::is_due(A::TYPE, before, head.sequence)
        {
            let (stream, state) = (stream.clone(), serde_json::to_value(&state)?);
            self.snapshots().offer(Snapshot { stream, sequence: head.sequence, event_id, owner, state });
        }
        Ok((state, head))
    }

    /// The events of a stream, from its snapshot on if there is one of `version` that the log does not contradict. The
    /// upper bound is for the planner: it takes a range of unknown ends for short, and the index.
    async fn rows(&self, stream: &StreamId, version: Option<i32>) -> Result<Vec<Row>, sqlx::Error> {
        sqlx::query_as!(
            Row,
            r#"WITH snapshot AS MATERIALIZED (
                   SELECT e.position, e.event_id, e.sequence, s.owner_id, s.sealed FROM snapshots s JOIN events e
                   ON e.aggregate_type = s.aggregate_type AND e.aggregate_id = s.aggregate_id AND e.sequence = s.sequence
                       AND e.event_id = s.event_id
                   WHERE s.aggregate_type = $1 AND s.aggregate_id = $2 AND s.state_version = $3
               )
               SELECT position AS "position!", event_id AS "event_id!", sequence AS "sequence!", owner_id AS "owner_id!",
                      '' AS "event_type!", '' AS "event_version!", '' AS "payload!", sealed AS snapshot
               FROM snapshot
               UNION ALL
               SELECT position, event_id, sequence, owner_id, event_type, event_version, payload::text, NULL FROM events
               WHERE aggregate_type = $1 AND aggregate_id = $2 AND sequence > coalesce((SELECT sequence FROM snapshot), 0)
                   AND sequence <= 9223372036854775807
               ORDER BY 3"#,
            stream.aggregate_type,
            stream.aggregate_id,
            version
        )
        .fetch_all(self.pool())
        .await
    }

    async fn fold<A: Aggregate>(
        &self,
        stream: &StreamId,
        state: &mut A,
        head: &mut Head,
        rows: Vec<Row>,
    ) -> Result<(), StoreError> {
        let mut payloads = Vec::with_capacity(rows.len());
        let mut subjects = Vec::new();
        for row in &rows {
            let mut payload = serde_json::from_str(&row.payload)?;
            subjects.append(&mut seal::subjects(&mut payload));
            payloads.push(payload);
        }
        subjects.sort_unstable();
        subjects.dedup();
        let keys: Keys = self.keyring().user_keys(&subjects).await?.into_iter().collect();
        for (row, mut payload) in rows.into_iter().zip(payloads) {
            let position = row.position;
            seal::open_payload(&keys, row.event_id, &mut payload)
                .map_err(|source| StoreError::Open { position, source })?;
            let event = SerializedEvent {
                aggregate_id: stream.aggregate_id.clone(),
                sequence: usize::try_from(row.sequence).unwrap_or(0),
                aggregate_type: A::TYPE.into(),
                event_type: row.event_type,
                event_version: row.event_version,
                payload,
                metadata: serde_json::Value::Null,
            };
            state.apply(self.decode(event).map_err(|source| StoreError::Decode { position, source })?);
            *head = Head { sequence: row.sequence, event_id: Some(row.event_id) };
        }
        Ok(())
    }
}
