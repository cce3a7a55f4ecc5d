//! Publishes the log to NATS. One relay works at a time; another one that would interfere is refused by the server, for
//! every message says which sequence it comes after.
//!
//! The JetStream stream is a copy of the log (sequence = position), so what it lacks is known by looking at its end. That is
//! done at the start, after every failure and every second: a stream that is gone, short or meddled with is made again
//! and filled from the log; one that knows events that the log does not have means that the log was restored from a
//! backup, and stops the relay until the doctor has been asked.

mod publish;
mod reconcile;
#[cfg(test)]
mod tests;

use std::time::Duration;

use anyhow::{Context as _, ensure};
use async_nats::jetstream::Context;
use event_store::{EventStore, LogHead};
use metrics::gauge;
use projections::Checkpoint;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

pub use reconcile::Divergence;

use crate::config::NatsConfig;
use crate::nats::{self, Durable};
use publish::WINDOW;

/// The name of its checkpoint.
pub const NAME: &str = "relay";

const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Runs until `stop`, whether NATS is there or not.
pub async fn run(
    store: EventStore,
    head: LogHead,
    config: NatsConfig,
    durables: Vec<Durable>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let jetstream = nats::connect(&config, nats::RELAY, WINDOW).await?;
    let mut relay = Relay { store, head, jetstream, durables, position: 0 };
    let forever = async {
        loop {
            if let Err(error) = relay.follow().await {
                relay.complain(&error);
            }
            relay.report_lag();
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    stop.run_until_cancelled(forever).await;
    Ok(())
}

struct Relay {
    store: EventStore,
    head: LogHead,
    jetstream: Context,
    durables: Vec<Durable>,
    /// Everything up to here is in the stream.
    position: i64,
}

impl Relay {
    /// Brings the stream in step with the log and keeps it there, until something fails.
    async fn follow(&mut self) -> anyhow::Result<()> {
        let mut checkpoint = Checkpoint::claim(self.store.pool(), NAME).await?;
        self.position = checkpoint.position();
        let outcome = self.copy(&mut checkpoint).await;
        if let Err(error) = &outcome {
            let stopped = error.is::<Divergence>();
            gauge!("docuvault_subscription_stopped", "name" => NAME).set(f64::from(u8::from(stopped)));
            checkpoint.fail(self.store.pool(), &format!("{error:#}")).await?;
        }
        outcome
    }

    async fn copy(&mut self, checkpoint: &mut Checkpoint) -> anyhow::Result<()> {
        let lineage = self.store.lineage().await?;
        let mut last = self.reconcile(lineage, checkpoint.position()).await?;
        self.advance(checkpoint, last).await?;
        gauge!("docuvault_subscription_stopped", "name" => NAME).set(0.0);
        let mut next_look = Instant::now() + LOOK_EVERY;
        loop {
            if timeout(LOOK_EVERY, self.head.beyond(last)).await == Ok(true) {
                last = self.publish_after(checkpoint, last, lineage).await?;
            }
            self.report_lag();
            if Instant::now() >= next_look {
                self.look(last).await?;
                next_look = Instant::now() + LOOK_EVERY;
            }
        }
    }

    async fn advance(&mut self, checkpoint: &mut Checkpoint, position: i64) -> anyhow::Result<()> {
        let mut tx = self.store.pool().begin().await?;
        let ours = checkpoint.advance(&mut tx, position).await?;
        tx.commit().await.context("the checkpoint")?;
        ensure!(ours, "another relay has taken over");
        self.position = position;
        Ok(())
    }

    #[expect(clippy::cast_precision_loss, reason = "a gauge for people")]
    fn report_lag(&self) {
        let lag = (self.head.get() - self.position).max(0);
        gauge!("docuvault_subscription_lag_events", "name" => NAME).set(lag as f64);
    }

    fn complain(&self, error: &anyhow::Error) {
        let (position, error_text) = (self.position, format!("{error:#}"));
        if error.is::<Divergence>() {
            tracing::error!(position, error = error_text, "the relay is stopped");
        } else {
            tracing::warn!(position, error = error_text, "the relay tries again");
        }
    }
}
