//! The store itself: a pool, the keys, the batcher, what is at hand.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aggregates::{DecodeError, Event, UserId, upcasters};
use cqrs_es::persist::{EventUpcaster, SerializedEvent};
use sqlx::PgPool;
use sqlx::migrate::MigrateError;
use tokio::sync::{Mutex, MutexGuard};
use tokio_util::sync::CancellationToken;

use crate::append::{Head, StreamId};
use crate::cache::StateCache;
use crate::group_commit::GroupCommit;
use crate::idempotency::Claims;
use crate::snapshot::SnapshotWriter;
use crate::unit::Footing;
use crate::{Clock, Keyring, LogHead, watch};

/// Owners share this many turns; two owners on one only wait for each other.
const TURNS: usize = 1024;

/// The log of one PostgreSQL database. Cheap to clone.
#[derive(Clone)]
pub struct EventStore(Arc<Inner>);

struct Inner {
    pool: PgPool,
    keyring: Keyring,
    clock: Clock,
    commits: GroupCommit,
    snapshots: SnapshotWriter,
    states: StateCache,
    claims: Arc<Claims>,
    turns: Vec<Mutex<()>>,
    hasher: RandomState,
    upcasters: Vec<Box<dyn EventUpcaster>>,
    side_rows: AtomicU64,
}

/// Brings the schema up to date. `pool` connects as `docuvault_migrate`.
pub async fn migrate(pool: &PgPool) -> Result<(), MigrateError> {
    sqlx::migrate!("../migrations").run(pool).await
}

impl EventStore {
    /// A store over a migrated database. `pool` connects as `docuvault_app`.
    pub fn new(pool: PgPool, keyring: Keyring, clock: Clock) -> Self {
        let commits = GroupCommit::start(&pool.connect_options());
        let snapshots = SnapshotWriter::start(pool.clone(), keyring.clone());
        let turns = std::iter::repeat_with(|| Mutex::new(())).take(TURNS).collect();
        Self(Arc::new(Inner {
            pool,
            keyring,
            clock,
            commits,
            snapshots,
            states: StateCache::new(),
            claims: Arc::default(),
            turns,
            hasher: RandomState::new(),
            upcasters: upcasters(),
            side_rows: AtomicU64::new(0),
        }))
    }

    /// Says when the log grows, until `stop`. One watch serves a whole process.
    pub fn watch(&self, stop: CancellationToken) -> LogHead {
        watch::start(self.0.pool.clone(), stop)
    }

    pub fn pool(&self) -> &PgPool {
        &self.0.pool
    }

    pub fn keyring(&self) -> &Keyring {
        &self.0.keyring
    }

    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// Changes with every statement of this process that writes rows beside events: what was read of such rows before is of
    /// an older state.
    pub fn side_rows(&self) -> u64 {
        self.0.side_rows.load(Ordering::SeqCst)
    }

    /// A statement that writes rows beside events has come to its end, whatever that is.
    pub(crate) fn side_rows_changed(&self) {
        self.0.side_rows.fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn commits(&self) -> &GroupCommit {
        &self.0.commits
    }

    pub(crate) fn snapshots(&self) -> &SnapshotWriter {
        &self.0.snapshots
    }

    pub(crate) fn claims(&self) -> &Arc<Claims> {
        &self.0.claims
    }

    /// Commands of one owner decide one after the other.
    pub(crate) async fn owner_turn(&self, owner: UserId) -> MutexGuard<'_, ()> {
        let turn = usize::try_from(self.0.hasher.hash_one(owner) % TURNS as u64).unwrap_or(0);
        self.0.turns[turn].lock().await
    }

    pub(crate) fn cached<A: Clone + 'static>(&self, stream: &StreamId) -> Option<(A, Head)> {
        self.0.states.get(stream)
    }

    /// Keeps the states that an append leads to, before or after it has committed.
    pub(crate) fn keep(&self, footing: &mut [Footing]) {
        for Footing { stream, after, state, .. } in footing {
            if let Some(state) = state.take() {
                self.0.states.put(stream.clone(), *after, state);
            }
        }
    }

    /// An append did not happen: drops what it rested on and what it would have led to.
    pub(crate) fn forget(&self, footing: &[Footing]) {
        for Footing { stream, before, after, .. } in footing {
            self.0.states.remove(stream, [*before, *after]);
        }
    }

    /// Upcasts and decodes an event of one aggregate type.
    pub(crate) fn decode<E: cqrs_es::DomainEvent>(&self, stored: SerializedEvent) -> Result<E, DecodeError> {
        Event::decode_as(stored, &self.0.upcasters)
    }

    pub(crate) fn upcasters(&self) -> &[Box<dyn EventUpcaster>] {
        &self.0.upcasters
    }
}
