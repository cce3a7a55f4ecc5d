//! The one loop behind every projection and process: wake, read, handle, advance. What a subscriber writes commits
//! together with its checkpoint, so after a crash it goes on as if nothing had happened.
//!
//! An event that cannot be handled stops its subscriber loudly, with position and error in the checkpoint's row; it
//! is tried again and again, and never skipped. Others go on.

use std::sync::Arc;
use std::time::Duration;

use anyhow::ensure;
use event_store::{EventStore, LogHead, RecordedEvent};
use futures::future::BoxFuture;
use metrics::gauge;
use sqlx::PgConnection;
use tokio_util::sync::CancellationToken;

use crate::Checkpoint;

/// Events handled in one transaction, at most.
const BATCH: i64 = 2_000;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// How often a runner that was superseded looks whether its successor still works.
const SUPERSEDED_PAUSE: Duration = Duration::from_secs(5);

/// A named reader of the log: a projection or a process.
pub trait Subscriber: Send + Sync + 'static {
    /// The name of its checkpoint. Never changes.
    fn name(&self) -> &'static str;

    /// Handles the next events, in order. What it writes through `tx` commits with the checkpoint; whatever else it
    /// does can happen more than once.
    fn handle<'a>(
        &'a self,
        tx: &'a mut PgConnection,
        events: &'a [RecordedEvent],
    ) -> BoxFuture<'a, anyhow::Result<()>>;
}

/// Runs `subscriber` from its checkpoint on, until `stop`.
pub async fn run(subscriber: Arc<dyn Subscriber>, store: EventStore, head: LogHead, stop: CancellationToken) {
    let mut runner = Runner { subscriber, store, head, limit: BATCH, pause: FIRST_PAUSE };
    let forever = async {
        loop {
            if let Err(error) = runner.follow().await {
                runner.complain(&error);
                runner.rest().await;
            }
        }
    };
    stop.run_until_cancelled(forever).await;
}

struct Runner {
    subscriber: Arc<dyn Subscriber>,
    store: EventStore,
    head: LogHead,
    /// Events of the next batch: after a failure 1, to find the culprit, and then growing again.
    limit: i64,
    pause: Duration,
}

impl Runner {
    /// Claims the checkpoint and follows the log. Returns when the claim is lost for good or the database fails.
    async fn follow(&mut self) -> anyhow::Result<()> {
        let mut checkpoint = Checkpoint::claim(self.store.pool(), self.subscriber.name()).await?;
        while self.head.beyond(checkpoint.position()).await {
            match self.batch(&mut checkpoint).await {
                Ok(true) => {
                    self.limit = (self.limit * 2).min(BATCH);
                    self.pause = FIRST_PAUSE;
                }
                Ok(false) => checkpoint = self.stand_by().await?,
                Err(_) if self.limit > 1 => self.limit = 1,
                Err(error) => {
                    self.complain(&error);
                    let text = format!("event {}: {error:#}", checkpoint.position() + 1);
                    checkpoint.fail(self.store.pool(), &text).await?;
                    self.rest().await;
                }
            }
        }
        std::future::pending().await
    }

    /// False: another runner has the checkpoint, and nothing was written.
    async fn batch(&self, checkpoint: &mut Checkpoint) -> anyhow::Result<bool> {
        let after = checkpoint.position();
        let events = self.store.read(after, self.limit).await?;
        let last = events.last().map_or(after, |event| event.position);
        ensure!(
            last > after && last - after == i64::try_from(events.len())?,
            "the log has a gap after position {after}"
        );
        let mut tx = self.store.pool().begin().await?;
        self.subscriber.handle(&mut tx, &events).await?;
        if !checkpoint.advance(&mut tx, last).await? {
            return Ok(false);
        }
        tx.commit().await?;
        #[expect(clippy::cast_precision_loss, reason = "a gauge for people")]
        gauge!("docuvault_subscription_lag_events", "name" => self.subscriber.name())
            .set((self.head.get() - last).max(0) as f64);
        Ok(true)
    }

    /// Waits until the runner that took over has fallen silent.
    async fn stand_by(&self) -> Result<Checkpoint, sqlx::Error> {
        let name = self.subscriber.name();
        tracing::warn!(name, "another runner has this subscription: standing by");
        loop {
            tokio::time::sleep(SUPERSEDED_PAUSE).await;
            if let Some(checkpoint) = Checkpoint::claim_abandoned(self.store.pool(), name).await? {
                return Ok(checkpoint);
            }
        }
    }

    fn complain(&self, error: &anyhow::Error) {
        tracing::error!(
            name = self.subscriber.name(),
            error = format!("{error:#}"),
            "a subscription is stopped"
        );
    }

    async fn rest(&mut self) {
        tokio::time::sleep(self.pause).await;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }
}
