//! Our log as a cqrs-es repository of one owner's streams: it reads sealed events, and its writes go through the door.
//! The stock `PostgresEventRepository` reads the same table; tests hold the two against each other.

use aggregates::UserId;
use cqrs_es::Aggregate;
use cqrs_es::persist::{
    PersistedEventRepository, PersistenceError, ReplayStream, SerializedEvent, SerializedSnapshot,
};
use futures::TryStreamExt;
use serde_json::Value;
use sqlx::PgPool;

use crate::append::{Answer, Append, Head, NewEvent, StreamId};
use crate::seal::{self, Keys};
use crate::{EventStore, SealError, StoreError};

/// Streams of `owner` as cqrs-es sees them. Snapshots are not kept here.
pub struct SealedRepository {
    store: EventStore,
    owner: UserId,
}

/// Events in flight between the database and the reader of a stream.
const IN_FLIGHT: usize = 200;

impl SealedRepository {
    pub const fn new(store: EventStore, owner: UserId) -> Self {
        Self { store, owner }
    }

    async fn after<A: Aggregate>(
        &self,
        id: &str,
        sequence: usize,
    ) -> Result<Vec<SerializedEvent>, PersistenceError> {
        let rows = sqlx::query_as!(
            Row,
            "SELECT aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata FROM events
             WHERE aggregate_type = $1 AND aggregate_id = $2 AND sequence > $3 ORDER BY sequence",
            A::TYPE,
            id,
            i64::try_from(sequence).unwrap_or(i64::MAX)
        )
        .fetch_all(self.store.pool())
        .await
        .map_err(database)?;
        Ok(rows.into_iter().map(SerializedEvent::from).collect())
    }

    async fn seal(
        &self,
        event: &SerializedEvent,
        stream: StreamId,
    ) -> Result<(NewEvent, Vec<UserId>), StoreError> {
        let mut payload = event.payload.clone();
        let subjects = seal::subjects(&mut payload);
        let keys: Keys = self.store.keyring().user_keys(&subjects).await?.into_iter().collect();
        let event_id = self.store.clock().new_id();
        seal::seal_payload(&keys, event_id, &mut payload)?;
        let new = NewEvent {
            stream,
            event_id,
            owner_id: self.owner,
            event_type: event.event_type.clone(),
            event_version: event.event_version.clone(),
            payload: payload.to_string(),
            metadata: event.metadata.to_string(),
        };
        Ok((new, subjects))
    }
}

struct Row {
    aggregate_type: String,
    aggregate_id: String,
    sequence: i64,
    event_type: String,
    event_version: String,
    payload: Value,
    metadata: Value,
}

impl From<Row> for SerializedEvent {
    fn from(row: Row) -> Self {
        Self {
            aggregate_id: row.aggregate_id,
            sequence: usize::try_from(row.sequence).unwrap_or(0),
            aggregate_type: row.aggregate_type,
            event_type: row.event_type,
            event_version: row.event_version,
            payload: row.payload,
            metadata: row.metadata,
        }
    }
}

fn database(error: sqlx::Error) -> PersistenceError {
    PersistenceError::ConnectionError(Box::new(error))
}

fn unknown(error: StoreError) -> PersistenceError {
    PersistenceError::UnknownError(Box::new(error))
}

impl PersistedEventRepository for SealedRepository {
    async fn get_events<A: Aggregate>(&self, id: &str) -> Result<Vec<SerializedEvent>, PersistenceError> {
        self.after::<A>(id, 0).await
    }

    async fn get_last_events<A: Aggregate>(
        &self,
        id: &str,
        last_sequence: usize,
    ) -> Result<Vec<SerializedEvent>, PersistenceError> {
        self.after::<A>(id, last_sequence).await
    }

    async fn get_snapshot<A: Aggregate>(
        &self,
        _: &str,
    ) -> Result<Option<SerializedSnapshot>, PersistenceError> {
        Ok(None)
    }

    async fn persist<A: Aggregate>(
        &self,
        events: &[SerializedEvent],
        _: Option<(String, Value, usize)>,
    ) -> Result<(), PersistenceError> {
        let Some(first) = events.first() else { return Ok(()) };
        let stream = StreamId { aggregate_type: A::TYPE, aggregate_id: first.aggregate_id.clone() };
        let expected =
            Head { sequence: i64::try_from(first.sequence).unwrap_or(i64::MAX) - 1, event_id: None };
        let mut append = Append {
            expected: vec![(stream.clone(), expected)],
            events: Vec::with_capacity(events.len()),
            subjects: Vec::new(),
            outcome: None,
        };
        for event in events {
            let (event, mut subjects) = self.seal(event, stream.clone()).await.map_err(unknown)?;
            append.events.push(event);
            append.subjects.append(&mut subjects);
        }
        let enqueued = self.store.commits().enqueue(append).await.map_err(unknown)?;
        match enqueued.answer().await.map_err(unknown)? {
            Answer::Appended(_) => Ok(()),
            Answer::Conflict | Answer::Duplicate | Answer::Precondition => {
                Err(PersistenceError::OptimisticLockError)
            }
            Answer::NoKey => Err(unknown(SealError::NoKey(self.owner).into())),
        }
    }

    async fn stream_events<A: Aggregate>(&self, id: &str) -> Result<ReplayStream, PersistenceError> {
        Ok(stream(self.store.pool().clone(), A::TYPE, Some(id.to_owned())))
    }

    async fn stream_all_events<A: Aggregate>(&self) -> Result<ReplayStream, PersistenceError> {
        Ok(stream(self.store.pool().clone(), A::TYPE, None))
    }
}

/// One stream, or all of a type in the order of the log. An error of the database ends it as an error.
fn stream(pool: PgPool, aggregate_type: &'static str, id: Option<String>) -> ReplayStream {
    let (mut feed, stream) = ReplayStream::new(IN_FLIGHT);
    tokio::spawn(async move {
        let mut rows = sqlx::query_as!(
            Row,
            "SELECT aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata FROM events
             WHERE aggregate_type = $1 AND ($2::text IS NULL OR aggregate_id = $2) ORDER BY position",
            aggregate_type,
            id
        )
        .fetch(&pool);
        loop {
            let event = match rows.try_next().await {
                Ok(Some(row)) => Ok(row.into()),
                Ok(None) => return,
                Err(error) => Err(database(error)),
            };
            let failed = event.is_err();
            if feed.push(event).await.is_err() || failed {
                return;
            }
        }
    });
    stream
}
