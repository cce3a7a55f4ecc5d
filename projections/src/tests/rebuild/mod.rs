//! Rebuilds while people work, while others read for long, and after every way to be interrupted.

mod failures;
mod online;
mod versions;

use std::sync::Arc;

use sqlx::PgPool;
use tokio::time::timeout;

use super::subscription::PATIENCE;
use crate::fixture::Vault;
use crate::{Drive, Holder, Projection, Rebuild, Serving};

/// A rebuild that has begun, in the hands of the test.
async fn begin(vault: &Vault, projection: &Arc<dyn Projection>) -> Drive {
    let (pool, holder) = (vault.pool(), Holder::new(vault.store.clock(), false));
    assert!(Rebuild::begin(pool, projection.as_ref(), Some(holder)).await.unwrap());
    let rebuild = Rebuild::find(pool, projection.name()).await.unwrap().unwrap();
    rebuild.take_up(&vault.store, projection.clone(), holder).await.unwrap().unwrap()
}

async fn rebuild(vault: &Vault, projection: &Arc<dyn Projection>) {
    let mut drive = begin(vault, projection).await;
    drive.build().await.unwrap();
    drive.swap().await.unwrap();
}

async fn generation(pool: &PgPool, name: &str) -> i64 {
    Serving::of(pool, name).await.unwrap().unwrap().generation
}

/// How many tables hold rows of the projection `name`, in whatever state.
async fn tables(pool: &PgPool, name: &str) -> i64 {
    sqlx::query_scalar(
        "SELECT count(*) FROM pg_class WHERE relkind = 'r' AND relname ~ ('^' || $1 || '(_g[0-9]+)?$')",
    )
    .bind(name)
    .fetch_one(pool)
    .await
    .unwrap()
}

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !holds().await {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, waiting).await.expect(what);
}

/// The serving generation of every projection is what a fresh fold makes of the log.
async fn assert_equal_to_fresh_folds(vault: &Vault) {
    for projection in crate::all() {
        let comparison = crate::compare(&vault.store, &projection, &mut |_, _| {}).await.unwrap();
        assert!(comparison.equal, "{comparison:?}");
    }
}
