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
use projections::{Checkpoint, Holder, Subscriptions};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

pub use reconcile::Divergence;

use crate::config::NatsConfig;
use crate::nats::{self, Durable};
use publish::{Refused, WINDOW};

/// The name of its checkpoint.
pub const NAME: &str = "relay";

const LOOK_EVERY: Duration = Duration::from_secs(1);
/// After so many refused publishes in a row, a stream that looks well is made again: a server whose disk was full takes
/// no more messages into the stream that felt it, however much room there is again.
const REFUSALS: u32 = 3;

/// Runs until `stop`, whether NATS is there or not.
pub async fn run(
    subscriptions: Subscriptions,
    config: NatsConfig,
    durables: Vec<Durable>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let jetstream = nats::connect(&config, nats::RELAY, WINDOW).await?;
    let Subscriptions { store, head, alone } = subscriptions;
    let holder = Holder::new(store.clock(), alone);
    let mut relay = Relay { store, head, holder, jetstream, durables, position: 0, refusals: 0 };
    while !stop.is_cancelled() {
        if let Err(error) = relay.lead(&stop).await {
            relay.complain(&error);
        }
        stop.run_until_cancelled(tokio::time::sleep(LOOK_EVERY)).await;
    }
    Ok(())
}

struct Relay {
    store: EventStore,
    head: LogHead,
    holder: Holder,
    jetstream: Context,
    durables: Vec<Durable>,
    /// Everything up to here is in the stream.
    position: i64,
    /// Publishes that NATS has refused since it took one.
    refusals: u32,
}

impl Relay {
    /// Takes the lease if it is free, brings the stream in step with the log and keeps it there, until something fails,
    /// the lease is lost, or `stop`: then the lease is given back.
    async fn lead(&mut self, stop: &CancellationToken) -> anyhow::Result<()> {
        let pool = self.store.pool().clone();
        let Some(mut checkpoint) = Checkpoint::claim(&pool, NAME, self.holder).await? else { return Ok(()) };
        // A lease that is found later is another process's, and alive.
        self.holder.alone = false;
        self.position = checkpoint.position();
        let lease = checkpoint.clone();
        let outcome = tokio::select! {
            outcome = self.copy(&mut checkpoint) => outcome,
            () = lease.keep(&pool) => Ok(()),
            () = stop.cancelled() => Ok(lease.release(&pool).await?),
        };
        match &outcome {
            Err(error) if error.is::<Divergence>() => checkpoint.fail(&pool, &format!("{error:#}")).await?,
            // Perhaps it is only us who do not reach NATS: another relay may try.
            Err(_) => checkpoint.release(&pool).await?,
            Ok(()) => {}
        }
        outcome
    }

    async fn copy(&mut self, checkpoint: &mut Checkpoint) -> anyhow::Result<()> {
        let lineage = self.store.lineage().await?;
        let mut last = self.reconcile(lineage, checkpoint.position()).await?;
        self.advance(checkpoint, last).await?;
        let mut next_look = Instant::now() + LOOK_EVERY;
        loop {
            if timeout(LOOK_EVERY, self.head.beyond(last)).await == Ok(true) {
                let published = self.publish_after(checkpoint, last, lineage).await;
                if published.as_ref().is_err_and(anyhow::Error::is::<Refused>) {
                    self.refusals += 1;
                }
                last = published?;
            }
            if Instant::now() >= next_look {
                self.look(last, lineage).await?;
                next_look = Instant::now() + LOOK_EVERY;
            }
        }
    }

    async fn advance(&mut self, checkpoint: &mut Checkpoint, position: i64) -> anyhow::Result<()> {
        let mut connection = self.store.pool().acquire().await?;
        let ours = checkpoint.advance(&mut connection, position).await.context("the checkpoint")?;
        ensure!(ours, "another relay has taken over");
        if position > self.position {
            self.refusals = 0;
        }
        self.position = position;
        Ok(())
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
