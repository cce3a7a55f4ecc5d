//! What holds for every projection.

mod folds;
mod freshness;
mod subscription;

use crate::Subscriber;
use crate::fixture::Vault;

/// Folds the whole log into the tables of `subscriber`, `batch` events at a time.
pub(crate) async fn fold(vault: &Vault, subscriber: &dyn Subscriber, batch: usize) {
    let events = vault.store.read(0, i64::MAX).await.unwrap();
    let mut tx = vault.pool().begin().await.unwrap();
    for events in events.chunks(batch) {
        subscriber.handle(&mut tx, events).await.unwrap();
    }
    tx.commit().await.unwrap();
}
