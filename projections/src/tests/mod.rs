//! What holds for every projection.

mod folds;
mod freshness;
mod notes;
mod rebuild;
mod subscription;

use crate::Projection;
use crate::fixture::Vault;

/// Folds the whole log into the first generation of `projection`, `batch` events at a time.
pub(crate) async fn fold(vault: &Vault, projection: &dyn Projection, batch: usize) {
    let events = vault.store.read(0, i64::MAX).await.unwrap();
    let mut tx = vault.pool().begin().await.unwrap();
    for events in events.chunks(batch) {
        projection.fold(&mut tx, 1, events).await.unwrap();
    }
    tx.commit().await.unwrap();
}
