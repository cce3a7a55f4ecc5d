//! A vault with a past, for the tests of this crate.

use aggregates::{DocumentCommand, DocumentId, UserId};
use projections::{Checkpoint, Holder, Serving};
use sqlx::PgPool;

use crate::Source;
use crate::fixture::Vault;

/// Two people and what they did with four documents. The read models have seen all of it.
pub(crate) struct Past {
    pub(crate) vault: Vault,
    pub(crate) alice: UserId,
    /// Active, renamed.
    pub(crate) kept: DocumentId,
    pub(crate) purged: DocumentId,
    pub(crate) head: i64,
}

impl Past {
    pub(crate) async fn new(pool: &PgPool) -> Self {
        let vault = Vault::open(pool).await;
        let alice = vault.register("alice@example.org", 10_000).await;
        let bob = vault.register("bob@example.org", 10_000).await;
        let kept = vault.upload_done(alice, "draft", 300).await;
        let purged = vault.upload_done(alice, "old", 50).await;
        vault.rename(alice, kept, "final, really").await;
        vault.change(alice, purged, DocumentCommand::Trash).await.unwrap();
        let pending = vault.request(bob, "never sent", 70).await.unwrap();
        let now = vault.store.clock().now();
        let big = vault.request(bob, "big", 4_000).await.unwrap();
        vault.change(bob, big, DocumentCommand::BeginVerification { now }).await.unwrap();
        vault.change(alice, purged, DocumentCommand::Purge).await.unwrap();
        vault.change(bob, pending, DocumentCommand::CancelUpload).await.unwrap();
        let head = vault.store.head().await.unwrap();
        project(&vault, head).await;
        Self { vault, alice, kept, purged, head }
    }

    /// To read with the master key, or without.
    pub(crate) fn source(&self, with_keys: bool) -> Source {
        Source { pool: self.vault.pool().clone(), store: with_keys.then(|| self.vault.store.clone()) }
    }
}

/// Brings every projection to `position`.
pub(crate) async fn project(vault: &Vault, position: i64) {
    for projection in projections::all() {
        let (pool, name) = (vault.pool(), projection.name());
        let generation = Serving::of(pool, name).await.unwrap().unwrap().generation;
        let holder = Holder::new(vault.store.clock(), true);
        let claimed = Checkpoint::claim_generation(pool, name, generation, holder).await.unwrap();
        let mut checkpoint = claimed.unwrap();
        let from = checkpoint.position();
        let events = vault.store.read(from, position - from).await.unwrap();
        let fold = projection.as_ref();
        assert!(projections::project(&vault.store, fold, &mut checkpoint, &events, position).await.unwrap());
    }
}
