//! From a stream to an aggregate.

use std::ops::Deref;

use cqrs_es::Aggregate;
use cqrs_es::persist::SerializedEvent;

use crate::append::{Head, StreamId};
use crate::seal::{self, Keys};
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

impl EventStore {
    /// Loads an aggregate by folding its stream; the state and the sequence of its last event (0: no such stream).
    pub async fn load<A: Aggregate>(&self, aggregate_id: &str) -> Result<(A, i64), StoreError> {
        let stream = StreamId { aggregate_type: A::TYPE, aggregate_id: aggregate_id.into() };
        let (state, head) = self.load_stream(&stream).await?;
        Ok((state, head.sequence))
    }

    pub(crate) async fn load_stream<A: Aggregate>(&self, stream: &StreamId) -> Result<(A, Head), StoreError> {
        let rows = sqlx::query!(
            r#"SELECT position, event_id, sequence, event_type, event_version, payload::text AS "payload!" FROM events
               WHERE aggregate_type = $1 AND aggregate_id = $2 ORDER BY sequence"#,
            stream.aggregate_type,
            stream.aggregate_id
        )
        .fetch_all(self.pool())
        .await?;
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

        let (mut state, mut head) = (A::default(), Head::default());
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
            head = Head { sequence: row.sequence, event_id: Some(row.event_id) };
        }
        Ok((state, head))
    }
}
