use std::time::Duration;

use sqlx::PgPool;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use crate::fixture::Vault;
use crate::{Freshness, Subscriptions, user_directory};

const PATIENCE: Duration = Duration::from_mins(1);

fn names() -> Vec<&'static str> {
    crate::all().iter().map(|projection| projection.name()).collect()
}

fn start(vault: &Vault) -> CancellationToken {
    let stop = CancellationToken::new();
    let subscriptions =
        Subscriptions { store: vault.store.clone(), head: vault.store.watch(stop.clone()), alone: false };
    for projection in crate::all() {
        tokio::spawn(subscriptions.clone().project(projection, stop.clone()));
    }
    stop
}

#[sqlx::test(migrations = "../migrations")]
async fn after_the_wait_ones_own_writes_can_be_read(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let stop = start(&vault);
    let freshness = Freshness::start(vault.pool().clone(), &names(), stop.clone());
    let owner = vault.register("someone@example.org", 1_000).await;
    for number in 0..20 {
        let document = vault.request(owner, &format!("document {number}"), 1).await.unwrap();
        let head = vault.store.head().await.unwrap();
        assert_eq!(freshness.wait(head, PATIENCE).await, [""; 0]);
        let row = crate::document_listing::find(vault.pool(), owner, document).await.unwrap();
        assert_eq!(row.unwrap().position, head);
        let usage = crate::quota_usage::find(vault.pool(), owner).await.unwrap().unwrap();
        assert_eq!(usage.reserved, number + 1);
    }
    assert_eq!(user_directory::count(vault.pool()).await.unwrap(), 1);
    stop.cancel();
}

#[sqlx::test(migrations = "../migrations")]
async fn who_is_stopped_or_late_is_named_and_not_waited_for(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    vault.register("someone@example.org", 1_000).await;
    let stopped = "UPDATE checkpoints
         SET position = CASE name WHEN 'document_listing' THEN 1 ELSE 2 END,
             error = CASE name WHEN 'document_listing' THEN 'event 2: no' END";
    sqlx::query(stopped).execute(&pool).await.unwrap();
    let stop = CancellationToken::new();
    let freshness = Freshness::start(vault.pool().clone(), &names(), stop.clone());
    let began = Instant::now();
    assert_eq!(freshness.wait(2, PATIENCE).await, ["document_listing"]);

    // Nobody runs `user_directory`: it is waited for until it is two seconds late.
    sqlx::query("UPDATE checkpoints SET position = 0 WHERE name = 'user_directory'")
        .execute(&pool)
        .await
        .unwrap();
    let freshness = Freshness::start(vault.pool().clone(), &names(), stop.clone());
    let behind = timeout(PATIENCE, freshness.wait(2, PATIENCE)).await.expect("it is not waited for");
    assert_eq!(behind, ["document_listing", "user_directory"]);
    assert!(began.elapsed() < PATIENCE);
    stop.cancel();
}

#[sqlx::test(migrations = "../migrations")]
async fn the_wait_is_bounded(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let stop = CancellationToken::new();
    let freshness = Freshness::start(vault.pool().clone(), &["quota_usage"], stop.clone());
    assert_eq!(freshness.wait(0, Duration::ZERO).await, [""; 0]);
    assert_eq!(freshness.wait(1, Duration::from_millis(20)).await, ["quota_usage"]);
    stop.cancel();
}
