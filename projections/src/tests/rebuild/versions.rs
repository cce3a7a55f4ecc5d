use std::sync::Arc;

use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use super::{begin, until};
use crate::fixture::Vault;
use crate::tests::notes::Notes;
use crate::tests::subscription::subscriptions;
use crate::{Projection, Serving};

/// A release with a changed fold: the new binary prepares beside the old one, which goes on serving; the new one, once
/// it is started, serves the old generation by the previous fold until it swaps.
#[sqlx::test(migrations = "../migrations")]
async fn a_new_version_is_prepared_beside_the_old_one_and_takes_over_at_its_start(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    Notes::migrate(&pool).await;
    vault.register("first@example.org", 100).await;
    let (old_stop, new_stop) = (CancellationToken::new(), CancellationToken::new());
    let old: Vec<Arc<dyn Projection>> = vec![Notes::new(1)];
    let new: Vec<Arc<dyn Projection>> = vec![Notes::new(2)];
    let old_release = subscriptions(&vault.store, &old_stop);
    tokio::spawn(old_release.clone().project(old[0].clone(), old_stop.clone()));
    tokio::spawn(old_release.carry_on_rebuilds(old, old_stop.clone()));
    until("the old one serves", async || Notes::served(&pool).await == [(1, 1)]).await;

    let mut prepared = begin(&vault, &new[0]).await;
    prepared.build().await.unwrap();
    prepared.release().await.unwrap();
    vault.register("second@example.org", 100).await;
    until("the old one still serves", async || Notes::served(&pool).await == [(1, 1), (3, 1)]).await;
    old_stop.cancel();

    let new_release = subscriptions(&vault.store, &new_stop);
    tokio::spawn(new_release.clone().project(new[0].clone(), new_stop.clone()));
    vault.register("third@example.org", 100).await;
    until("the previous fold serves", async || Notes::served(&pool).await == [(1, 1), (3, 1), (5, 1)]).await;
    tokio::spawn(new_release.carry_on_rebuilds(new, new_stop.clone()));
    until("it swaps", async || Notes::served(&pool).await == [(1, 2), (3, 2), (5, 2)]).await;
    vault.register("fourth@example.org", 100).await;
    until("the new fold goes on", async || Notes::served(&pool).await.last() == Some(&(7, 2))).await;
    assert_eq!(Serving::of(&pool, "notes").await.unwrap().unwrap().version, 2);
    new_stop.cancel();
}

/// A release that knows no fold of what serves leaves it alone.
#[sqlx::test(migrations = "../migrations")]
async fn a_release_without_the_fold_that_serves_touches_nothing(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    Notes::migrate(&pool).await;
    sqlx::query("UPDATE serving_projections SET version = 2 WHERE name = 'notes'")
        .execute(&pool)
        .await
        .unwrap();
    vault.register("first@example.org", 100).await;
    let stop = CancellationToken::new();
    let old: Arc<dyn Projection> = Notes::new(1);
    let subscriptions = subscriptions(&vault.store, &stop);
    tokio::spawn(subscriptions.clone().project(old.clone(), stop.clone()));
    tokio::spawn(subscriptions.clone().carry_on_rebuilds(vec![old], stop.clone()));
    // The newer release takes the lease that the old one must not hold.
    tokio::spawn(subscriptions.project(Notes::new(2), stop.clone()));
    until("the newer release goes on", async || Notes::served(&pool).await == [(1, 2)]).await;
    stop.cancel();
}
