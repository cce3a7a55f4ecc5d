use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use anyhow::ensure;
use event_store::{EventStore, RecordedEvent};
use futures::FutureExt;
use futures::future::{BoxFuture, join_all};
use sqlx::PgPool;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::fixture::Vault;
use crate::{Checkpoint, Holder, Process, Subscriptions};

pub(super) const PATIENCE: Duration = Duration::from_mins(1);

/// Notes every position that it is given, and can refuse one.
struct Reader {
    seen: watch::Sender<Vec<i64>>,
    refused: AtomicI64,
}

impl Reader {
    fn new(refused: i64) -> Arc<Self> {
        Arc::new(Self { seen: watch::channel(Vec::new()).0, refused: AtomicI64::new(refused) })
    }

    async fn until(&self, position: i64) -> Vec<i64> {
        let mut seen = self.seen.subscribe();
        let seen = timeout(PATIENCE, seen.wait_for(|seen| seen.last() >= Some(&position))).await;
        seen.expect("the reader gets there in time").unwrap().clone()
    }
}

impl Process for Reader {
    fn name(&self) -> &'static str {
        "reader"
    }

    fn aggregates(&self) -> Option<&'static [&'static str]> {
        None
    }

    fn handle<'a>(&'a self, events: &'a [RecordedEvent]) -> BoxFuture<'a, anyhow::Result<()>> {
        async move {
            let refused = self.refused.load(Ordering::SeqCst);
            ensure!(events.iter().all(|event| event.position != refused), "this one I do not take");
            self.seen.send_modify(|seen| seen.extend(events.iter().map(|event| event.position)));
            Ok(())
        }
        .boxed()
    }
}

pub(super) fn subscriptions(store: &EventStore, stop: &CancellationToken) -> Subscriptions {
    Subscriptions { store: store.clone(), head: store.watch(stop.clone()), alone: false }
}

/// Keeps every projection up to date, with one watch of the log, as a process does.
pub(super) fn project_all(store: &EventStore, stop: &CancellationToken) {
    let subscriptions = subscriptions(store, stop);
    for projection in crate::all() {
        tokio::spawn(subscriptions.clone().project(projection, stop.clone()));
    }
}

fn start(reader: &Arc<Reader>, store: &EventStore) -> CancellationToken {
    let stop = CancellationToken::new();
    tokio::spawn(subscriptions(store, &stop).process(reader.clone(), stop.clone()));
    stop
}

async fn checkpoint(pool: &PgPool) -> (i64, Option<String>) {
    sqlx::query_as("SELECT position, error FROM checkpoints WHERE name = 'reader'")
        .fetch_one(pool)
        .await
        .unwrap()
}

#[sqlx::test(migrations = "../migrations")]
async fn every_position_comes_once_and_in_order_while_16_write(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let reader = Reader::new(0);
    let stop = start(&reader, &vault.store);
    let writers = (0..16).map(|writer| {
        let vault = &vault;
        async move {
            let owner = vault.register(&format!("{writer}@example.org"), 1_000_000).await;
            for number in 0..20 {
                vault.upload_done(owner, &format!("document {number}"), 10).await;
            }
        }
    });
    join_all(writers).await;
    let head = vault.store.head().await.unwrap();
    let seen = reader.until(head).await;
    assert_eq!(head, 16 * (2 + 20 * 4));
    assert_eq!(seen, (1..=head).collect::<Vec<_>>());
    stop.cancel();
}

#[sqlx::test(migrations = "../migrations")]
async fn an_event_that_cannot_be_handled_stops_the_reader_and_is_named(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    for number in 0..5 {
        vault.register(&format!("{number}@example.org"), 100).await;
    }
    let reader = Reader::new(7);
    let stop = start(&reader, &vault.store);
    assert_eq!(reader.until(6).await, (1..=6).collect::<Vec<_>>());
    let stopped = async {
        loop {
            if let (6, Some(error)) = checkpoint(&pool).await {
                return error;
            }
        }
    };
    let error = timeout(PATIENCE, stopped).await.expect("the failure becomes visible");
    assert_eq!(error, "event 7: this one I do not take");

    reader.refused.store(0, Ordering::SeqCst);
    assert_eq!(reader.until(10).await, (1..=10).collect::<Vec<_>>());
    stop.cancel();
}

#[sqlx::test(migrations = "../migrations")]
async fn a_reader_goes_on_where_it_was(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    vault.register("first@example.org", 100).await;
    let first = Reader::new(0);
    let stop = start(&first, &vault.store);
    first.until(2).await;
    let committed = async { while checkpoint(&pool).await.0 < 2 {} };
    timeout(PATIENCE, committed).await.expect("the batch commits");
    stop.cancel();

    vault.register("second@example.org", 100).await;
    let second = Reader::new(0);
    let stop = start(&second, &vault.store);
    assert_eq!(second.until(4).await, [3, 4]);
    stop.cancel();
}

/// F03: a kill -9 leaves the lease behind; the other takes over within eight seconds, at the position of the dead one.
#[sqlx::test(migrations = "../migrations")]
async fn a_follower_takes_over_from_a_leader_that_dies(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    vault.register("first@example.org", 100).await;
    let dead = Holder::new(vault.store.clock(), false);
    let mut checkpoint = Checkpoint::claim(vault.pool(), "reader", dead).await.unwrap().unwrap();
    let mut connection = vault.pool().acquire().await.unwrap();
    assert!(checkpoint.advance(&mut connection, 1).await.unwrap());

    let follower = Reader::new(0);
    let died = tokio::time::Instant::now();
    let stop = start(&follower, &vault.store);
    assert_eq!(follower.until(2).await, [2]);
    assert!(died.elapsed() < Duration::from_secs(8), "{:?}", died.elapsed());
    assert!(died.elapsed() > Duration::from_secs(3), "a living leader must not be dethroned");
    stop.cancel();
}

#[sqlx::test(migrations = "../migrations")]
async fn who_stops_gracefully_leaves_the_lease_to_the_next_at_once(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let holder = || Holder::new(vault.store.clock(), false);
    let first = Checkpoint::claim(vault.pool(), "reader", holder()).await.unwrap().unwrap();
    assert!(Checkpoint::claim(vault.pool(), "reader", holder()).await.unwrap().is_none());
    first.release(vault.pool()).await.unwrap();
    let second = Checkpoint::claim(vault.pool(), "reader", holder()).await.unwrap().unwrap();
    assert!(second.renew(vault.pool()).await.unwrap());
    assert!(!first.renew(vault.pool()).await.unwrap());

    let alone = Holder::new(vault.store.clock(), true);
    assert!(Checkpoint::claim(vault.pool(), "reader", alone).await.unwrap().is_some(), "nobody else lives");
}

/// F09: the database's clock was a day ahead when the lease was renewed, and then its holder died.
#[sqlx::test(migrations = "../migrations")]
async fn a_lease_from_a_clock_that_was_set_back_binds_nobody(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let holder = || Holder::new(vault.store.clock(), false);
    let dead = Checkpoint::claim(vault.pool(), "reader", holder()).await.unwrap().unwrap();
    let ahead =
        "UPDATE checkpoints SET leased_until = clock_timestamp() + interval '1 day' WHERE name = 'reader'";
    sqlx::query(ahead).execute(&pool).await.unwrap();
    assert!(Checkpoint::claim(vault.pool(), "reader", holder()).await.unwrap().is_some());
    assert!(!dead.renew(vault.pool()).await.unwrap());
}

/// SIGSTOP: a leader that wakes up after its lease was taken writes nothing.
#[sqlx::test(migrations = "../migrations")]
async fn a_leader_that_was_superseded_cannot_advance(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let holder = || Holder::new(vault.store.clock(), true);
    let mut paused = Checkpoint::claim(vault.pool(), "reader", holder()).await.unwrap().unwrap();
    let mut successor = Checkpoint::claim(vault.pool(), "reader", holder()).await.unwrap().unwrap();

    assert!(paused.begin(vault.pool()).await.unwrap().is_none());
    let mut tx = vault.pool().begin().await.unwrap();
    assert!(!paused.advance(&mut tx, 1).await.unwrap());
    assert!(successor.advance(&mut tx, 2).await.unwrap());
    assert!(!paused.advance(&mut tx, 3).await.unwrap());
    tx.commit().await.unwrap();
    paused.fail(vault.pool(), "too late").await.unwrap();
    assert_eq!(paused.position(), 0);
    assert_eq!(checkpoint(&pool).await, (2, None));
}

/// A leader that is stopped in the middle of a transaction holds locks: they go before its lease does.
#[sqlx::test(migrations = "../migrations")]
async fn a_leader_that_is_paused_in_a_transaction_does_not_keep_its_successor_waiting(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let holder = || Holder::new(vault.store.clock(), false);
    let paused = Checkpoint::claim(vault.pool(), "reader", holder()).await.unwrap().unwrap();
    let mut transaction = paused.begin(vault.pool()).await.unwrap().unwrap();

    let began = tokio::time::Instant::now();
    let taken_over =
        async { while Checkpoint::claim(vault.pool(), "reader", holder()).await.unwrap().is_none() {} };
    timeout(PATIENCE, taken_over).await.expect("somebody takes over");
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    sqlx::query("SELECT").execute(&mut *transaction).await.unwrap_err();
}
