//! Keeps the audit trail. A message only says that the log has grown: the trail is folded from the log itself, in the
//! order of positions and without a gap, by whichever instance has the lease. What NATS loses, repeats or reorders
//! changes nothing, and an event that cannot be folded stops the trail loudly instead of being passed over.

use std::time::Duration;

use anyhow::{Context, bail};
use event_store::{EventStore, RecordedEvent};
use futures::FutureExt;
use futures::future::BoxFuture;
use projections::audit_trail::{self, AuditTrail};
use projections::{Checkpoint, Holder, Projection, Serving, intake, project};
use tokio::sync::Mutex;

use super::{Consumer, Trouble};

/// Events folded in one transaction, at most.
const BATCH: i64 = 1_000;
/// How often an instance without the lease looks whether the other one has come far enough.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// The consumer.
pub(super) struct Audit {
    store: EventStore,
    holder: Holder,
    /// How far the trail is, as far as this process knows.
    reached: Mutex<i64>,
}

impl Audit {
    pub(super) fn new(store: EventStore) -> Self {
        let holder = Holder::new(store.clock(), false);
        Self { store, holder, reached: Mutex::new(0) }
    }

    /// Returns when the trail holds `position`.
    async fn reach(&self, position: i64) -> anyhow::Result<()> {
        let mut reached = self.reached.lock().await;
        while *reached < position {
            let pool = self.store.pool();
            let serving = Serving::of(pool, audit_trail::NAME).await?.context("its migration is missing")?;
            if serving.version != AuditTrail.version() {
                bail!(
                    "version {} of the audit trail serves, and this release folds another",
                    serving.version
                );
            }
            let claimed =
                Checkpoint::claim_generation(pool, audit_trail::NAME, serving.generation, self.holder)
                    .await?;
            if let Some(checkpoint) = claimed {
                *reached = self.catch_up(checkpoint, position).await?;
                continue;
            }
            *reached = Checkpoint::standing(pool, audit_trail::NAME, serving.generation).await?;
            if *reached < position {
                tokio::time::sleep(LOOK_EVERY).await;
            }
        }
        Ok(())
    }

    /// Folds to the end of the log, `position` at least, or until the lease is lost. Answers how far the trail is.
    async fn catch_up(&self, mut checkpoint: Checkpoint, position: i64) -> anyhow::Result<i64> {
        let head = self.store.head().await?.max(position);
        while checkpoint.position() < head {
            let after = checkpoint.position();
            let folded = self.fold(&mut checkpoint, head.min(after + BATCH)).await;
            match folded {
                Ok(true) => {}
                Ok(false) => break,
                // The culprit is looked for one by one, and named.
                Err(_) => self.fold_one(&mut checkpoint).await?,
            }
        }
        // Another instance may be given the next message.
        checkpoint.release(self.store.pool()).await?;
        Ok(checkpoint.position())
    }

    async fn fold_one(&self, checkpoint: &mut Checkpoint) -> anyhow::Result<()> {
        let next = checkpoint.position() + 1;
        let Err(error) = self.fold(checkpoint, next).await else { return Ok(()) };
        checkpoint.fail(self.store.pool(), &format!("event {next}: {error:#}")).await?;
        Err(error.context(format!("the audit trail is stopped at position {next}")))
    }

    /// False: another instance has taken over.
    async fn fold(&self, checkpoint: &mut Checkpoint, through: i64) -> anyhow::Result<bool> {
        let after = checkpoint.position();
        let events = intake(&self.store, audit_trail::NAME, AuditTrail.aggregates(), after, through).await?;
        project(&self.store, &AuditTrail, checkpoint, &events, through).await
    }
}

impl Consumer for Audit {
    fn name(&self) -> &'static str {
        "audit"
    }

    fn subjects(&self) -> &'static [&'static str] {
        &["docuvault.>"]
    }

    fn at_once(&self) -> usize {
        16
    }

    fn gives_up(&self) -> bool {
        false
    }

    fn handle(&self, event: RecordedEvent) -> BoxFuture<'_, Result<(), Trouble>> {
        async move { Ok(self.reach(event.position).await?) }.boxed()
    }
}
