use std::sync::Arc;

use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use super::{assert_equal_to_fresh_folds, begin, generation, rebuild, until};
use crate::document_listing::DocumentListing;
use crate::fixture::Vault;
use crate::tests::folds::random_history;
use crate::tests::notes::Notes;
use crate::tests::subscription::{project_all, subscriptions};
use crate::user_directory::UserDirectory;
use crate::{Checkpoint, Holder, Projection, Rebuild, State, Status, skip};

async fn status(pool: &PgPool, name: &str) -> Status {
    Status::of(pool, name).await.unwrap().unwrap()
}

/// F03: rows and checkpoint are one transaction, so a batch that was cut off leaves nothing and is folded again.
#[sqlx::test(migrations = "../migrations")]
async fn a_batch_that_is_cut_off_leaves_nothing(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    random_history(&vault, 60).await;
    let head = vault.store.head().await.unwrap();
    for projection in crate::all() {
        let holder = Holder::new(vault.store.clock(), false);
        let claimed = Checkpoint::claim_generation(vault.pool(), projection.name(), 1, holder).await.unwrap();
        let mut checkpoint = claimed.unwrap();
        let events = vault.store.read(0, i64::MAX).await.unwrap();
        let mut tx = checkpoint.begin(vault.pool()).await.unwrap().unwrap();
        projection.fold(&mut tx, 1, &events).await.unwrap();
        assert!(checkpoint.advance(&mut tx, head).await.unwrap());
        drop(tx);
        assert_eq!(status(vault.pool(), projection.name()).await.position, 0);
    }
    let stop = CancellationToken::new();
    project_all(&vault.store, &stop);
    until("all catch up", async || {
        Status::all(vault.pool()).await.unwrap().iter().all(|one| one.position == head)
    })
    .await;
    assert_equal_to_fresh_folds(&vault).await;
    stop.cancel();
}

/// A checkpoint also passes what its projection does not want, and a restart misses nothing.
#[sqlx::test(migrations = "../migrations")]
async fn the_checkpoint_passes_events_that_are_not_wanted(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    Notes::migrate(&pool).await;
    let mut wanted = Vec::new();
    for round in 0..3 {
        let stop = CancellationToken::new();
        let running = tokio::spawn(subscriptions(&vault.store, &stop).project(Notes::new(1), stop.clone()));
        wanted.push((vault.store.head().await.unwrap() + 1, 1));
        let owner = vault.register(&format!("{round}@example.org"), 1_000).await;
        vault.upload_done(owner, "not of a user's stream", 1).await;
        let head = vault.store.head().await.unwrap();
        until("it passes all", async || status(vault.pool(), "notes").await.position == head).await;
        assert_eq!(Notes::served(&pool).await, wanted);
        stop.cancel();
        running.await.unwrap();
        let held = "SELECT holder IS NOT NULL FROM checkpoints WHERE name = 'notes'";
        let held: bool = sqlx::query_scalar(held).fetch_one(&pool).await.unwrap();
        assert!(!held, "the lease was not given back");
    }
}

/// A poison event stops the projection at its position, in sight of everybody, until an operator has it passed over.
#[sqlx::test(migrations = "../migrations")]
async fn an_event_that_cannot_be_applied_stops_it_until_it_is_skipped(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    Notes::migrate(&pool).await;
    for number in 0..5 {
        vault.register(&format!("{number}@example.org"), 100).await;
    }
    let projection: Arc<dyn Projection> = Notes::refusing(5);
    let stop = CancellationToken::new();
    tokio::spawn(subscriptions(&vault.store, &stop).project(projection.clone(), stop.clone()));
    until("it stops", async || status(vault.pool(), "notes").await.state == State::Stopped).await;
    let stopped = status(vault.pool(), "notes").await;
    assert_eq!((stopped.position, stopped.error.unwrap()), (4, "event 5: this one I do not take".into()));
    assert_eq!(Notes::served(&pool).await, [(1, 1), (3, 1)], "rows of the failed batch must not stay");
    assert_eq!(crate::stopped(vault.pool()).await.unwrap()[0].position, 5);

    assert!(!skip(vault.pool(), "notes", 7, "not there", "operator").await.unwrap());
    assert!(!skip(vault.pool(), "user_directory", 5, "it runs", "operator").await.unwrap());
    assert!(skip(vault.pool(), "notes", 5, "known to be broken", "operator").await.unwrap());
    until("it goes on", async || status(vault.pool(), "notes").await.position == 10).await;
    let rest = [(1, 1), (3, 1), (7, 1), (9, 1)];
    assert_eq!(Notes::served(&pool).await, rest);
    let recorded = status(vault.pool(), "notes").await.skipped;
    assert_eq!((recorded[0].position, recorded[0].reason.as_str()), (5, "known to be broken"));

    rebuild(&vault, &projection).await;
    assert_eq!(Notes::served(&pool).await, rest, "a fresh fold passes over it, too");
    let comparison = crate::compare(&vault.store, &projection, &mut |_, _| {}).await.unwrap();
    assert!(comparison.equal && comparison.skipped == recorded);
    stop.cancel();
}

/// F13: an event of a newer release stops the projections that would have to know it, and no others.
#[sqlx::test(migrations = "../migrations")]
async fn an_unknown_event_stops_only_who_must_know_it(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    vault.register("someone@example.org", 100).await;
    sqlx::query(
        "INSERT INTO events
         SELECT 3, gen_random_uuid(), owner_id, aggregate_type, aggregate_id, 2, 'UserTeleported', event_version,
                '{\"UserTeleported\": {}}', metadata, recorded_at, leaf_hash FROM events WHERE position = 1",
    )
    .execute(&pool)
    .await
    .unwrap();
    let stop = CancellationToken::new();
    project_all(&vault.store, &stop);
    until("it stops", async || status(vault.pool(), "user_directory").await.state == State::Stopped).await;
    let stopped = status(vault.pool(), "user_directory").await;
    assert_eq!(stopped.position, 2);
    assert!(stopped.error.as_ref().unwrap().contains("UserTeleported"), "{stopped:?}");
    for name in ["document_listing", "document_history", "quota_usage"] {
        until("the others go on", async || status(vault.pool(), name).await.position == 3).await;
    }
    stop.cancel();
}

/// A rebuild that meets a poison event says where, keeps what it has, and the old generation goes on serving.
#[sqlx::test(migrations = "../migrations")]
async fn a_rebuild_that_cannot_go_on_says_where(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    Notes::migrate(&pool).await;
    for number in 0..5 {
        vault.register(&format!("{number}@example.org"), 100).await;
    }
    let notes = Notes::refusing(7);
    let projection: Arc<dyn Projection> = notes.clone();
    let mut drive = begin(&vault, &projection).await;
    let error = format!("{:#}", drive.build().await.unwrap_err());
    assert_eq!(error, "event 7: this one I do not take");
    let stopped = status(vault.pool(), "notes").await;
    assert_eq!(stopped.state, State::Stopped);
    assert_eq!(stopped.progress.unwrap().position, 6);
    assert_eq!(generation(&pool, "notes").await, 1);

    notes.refused.store(0, std::sync::atomic::Ordering::SeqCst);
    drive.build().await.unwrap();
    drive.swap().await.unwrap();
    assert_eq!(Notes::served(&pool).await.len(), 5);
}

/// Killed while it filled: the lease runs out, a projector takes it up where it was and swaps.
#[sqlx::test(migrations = "../migrations")]
async fn a_rebuild_whose_driver_died_is_carried_on(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    random_history(&vault, 60).await;
    let listing: Arc<dyn Projection> = Arc::new(DocumentListing);
    let mut drive = begin(&vault, &listing).await;
    drive.build().await.unwrap();
    // No release, no swap: as after kill -9.
    drop(drive);
    let found = Rebuild::find(vault.pool(), "document_listing").await.unwrap().unwrap();
    assert!(found.driven && !found.orphaned);

    let stop = CancellationToken::new();
    project_all(&vault.store, &stop);
    tokio::spawn(subscriptions(&vault.store, &stop).carry_on_rebuilds(crate::all(), stop.clone()));
    until("a projector finishes it", async || generation(&pool, "document_listing").await > 1).await;
    let head = vault.store.head().await.unwrap();
    until("all catch up", async || {
        Status::all(vault.pool()).await.unwrap().iter().all(|one| one.position == head)
    })
    .await;
    assert_equal_to_fresh_folds(&vault).await;
    stop.cancel();
}

/// SIGSTOP: a driver that wakes up after another has taken its rebuild over, or after it was cancelled, writes nothing.
#[sqlx::test(migrations = "../migrations")]
async fn a_driver_that_was_superseded_writes_nothing(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    vault.register("someone@example.org", 100).await;
    let directory: Arc<dyn Projection> = Arc::new(UserDirectory);
    let mut paused = begin(&vault, &directory).await;
    let found = Rebuild::find(vault.pool(), "user_directory").await.unwrap().unwrap();
    let holder = Holder::new(vault.store.clock(), true);
    let mut successor = found.take_up(&vault.store, directory.clone(), holder).await.unwrap().unwrap();
    assert!(paused.build().await.is_err());
    successor.build().await.unwrap();
    assert!(paused.swap().await.is_err());
    assert_eq!(generation(&pool, "user_directory").await, 1);
    successor.swap().await.unwrap();
    assert!(generation(&pool, "user_directory").await > 1);
}
