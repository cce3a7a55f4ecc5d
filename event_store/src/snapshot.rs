//! Snapshots: the folded state of a long stream, so that loading it reads the events after it alone.
//!
//! Written after the commit, by a task that nobody waits for, and never trusted: one that is of another version, does
//! not open under the owner's key at this very place, does not decode, or does not end with the event that the log has
//! there, is passed over. What the log says is the same without it.

use aggregates::{UserId, state_version};
use cqrs_es::Aggregate;
use metrics::counter;
use serde_json::Value;
use sqlx::PgPool;
use tokio::sync::mpsc;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::append::StreamId;
use crate::keys::UserKey;
use crate::{Keyring, SealError, StoreError, seal};

/// Events of a stream between two snapshots.
const EVERY: i64 = 100;
/// Snapshots waiting to be written at most; what finds no place is left to the next hundred.
const QUEUE: usize = 64;

/// A state to keep, and the event that it ends with.
pub(crate) struct Snapshot {
    pub(crate) stream: StreamId,
    pub(crate) sequence: i64,
    pub(crate) event_id: Uuid,
    pub(crate) owner: UserId,
    pub(crate) state: Value,
}

/// Whether a stream of `aggregate_type` that went from `before` to `after` gets a snapshot.
pub(crate) fn is_due(aggregate_type: &str, before: i64, after: i64) -> bool {
    before / EVERY < after / EVERY && state_version(aggregate_type).is_some()
}

/// The task that writes them. Cheap to clone; it ends with its last clone.
#[derive(Clone)]
pub(crate) struct SnapshotWriter(mpsc::Sender<Snapshot>);

impl SnapshotWriter {
    pub(crate) fn start(pool: PgPool, keyring: Keyring) -> Self {
        let (sender, mut receiver) = mpsc::channel(QUEUE);
        tokio::spawn(async move {
            while let Some(snapshot) = receiver.recv().await {
                if let Err(error) = write(&pool, &keyring, snapshot).await {
                    tracing::warn!(%error, "a snapshot was not written; the stream is folded from its events");
                }
            }
        });
        Self(sender)
    }

    pub(crate) fn offer(&self, snapshot: Snapshot) {
        if self.0.try_send(snapshot).is_err() {
            counter!("docuvault_snapshots_skipped_total").increment(1);
        }
    }
}

/// Writes `snapshot` over an older one, or over one that the log contradicts.
async fn write(pool: &PgPool, keyring: &Keyring, snapshot: Snapshot) -> Result<(), StoreError> {
    let Snapshot { stream, sequence, event_id, owner, mut state } = snapshot;
    let Some(version) = state_version(stream.aggregate_type) else { return Ok(()) };
    // What is about others would outlive their keys here.
    if seal::subjects(&mut state).iter().any(|subject| *subject != owner) {
        return Ok(());
    }
    let keys = keyring.user_keys(&[owner]).await?;
    let Some((_, key)) = keys.first() else { return Ok(()) };
    let plain = Zeroizing::new(serde_json::to_vec(&state)?);
    let sealed = seal::encrypt(
        &key.snapshot,
        key.key_id,
        &plain,
        &aad(&stream, sequence, event_id, version, owner, key),
    )?;
    // The key's row is held, so that an erasure comes before this and nothing is written, or after and deletes it.
    sqlx::query!(
        "INSERT INTO snapshots AS held (aggregate_type, aggregate_id, sequence, event_id, state_version, owner_id, sealed)
         SELECT $1, $2, $3, $4, $5, $6, $7 FROM user_keys WHERE user_id = $6 AND wrapped IS NOT NULL FOR SHARE
         ON CONFLICT (aggregate_type, aggregate_id) DO UPDATE
         SET sequence = excluded.sequence, event_id = excluded.event_id, state_version = excluded.state_version,
             owner_id = excluded.owner_id, sealed = excluded.sealed
         WHERE held.sequence <= excluded.sequence OR held.state_version <> excluded.state_version OR NOT EXISTS (
             SELECT FROM events e WHERE e.event_id = held.event_id AND e.aggregate_type = held.aggregate_type
                 AND e.aggregate_id = held.aggregate_id AND e.sequence = held.sequence)",
        stream.aggregate_type,
        stream.aggregate_id,
        sequence,
        event_id,
        version,
        owner.0,
        sealed
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// Opens a snapshot whose last event is that of the log; `None`: it is of no use.
pub(crate) async fn open<A: Aggregate>(
    keyring: &Keyring,
    stream: &StreamId,
    (sequence, event_id): (i64, Uuid),
    owner: UserId,
    sealed: &[u8],
) -> Result<Option<A>, StoreError> {
    let Some(version) = state_version(A::TYPE) else { return Ok(None) };
    let keys = match keyring.user_keys(&[owner]).await {
        Err(StoreError::Seal(error)) => return Ok(of_no_use(A::TYPE, &error)),
        keys => keys?,
    };
    let Some((_, key)) = keys.first() else { return Ok(None) };
    let aad = aad(stream, sequence, event_id, version, owner, key);
    let state = seal::decrypt(&key.snapshot, sealed, &aad)
        .and_then(|plain| serde_json::from_slice(&plain).map_err(|_| SealError::Malformed));
    match state {
        Ok(state) => Ok(Some(state)),
        Err(error) => Ok(of_no_use(A::TYPE, &error)),
    }
}

fn of_no_use<A>(aggregate_type: &str, error: &SealError) -> Option<A> {
    counter!("docuvault_snapshots_refused_total").increment(1);
    tracing::warn!(%error, aggregate_type, "a snapshot is of no use; the stream is folded from its events");
    None
}

fn aad(
    stream: &StreamId,
    sequence: i64,
    event_id: Uuid,
    version: i32,
    owner: UserId,
    key: &UserKey,
) -> Vec<u8> {
    let StreamId { aggregate_type, aggregate_id } = stream;
    let place = format!("snapshots.sealed/{aggregate_type}/{aggregate_id}/{sequence}/{version}");
    seal::aad("snapshot", &place, owner.0, event_id, key.key_id)
}
