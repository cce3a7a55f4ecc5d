//! The one loop behind every consumer: pull, read the event again, handle, acknowledge.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, anyhow};
use async_nats::jetstream::consumer::PullConsumer;
use async_nats::jetstream::{AckKind, Message};
use event_store::{EventStore, RawEvent};
use futures::{FutureExt, StreamExt, stream};
use metrics::{counter, gauge};
use tokio::time::interval;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::dead_letters::{self, Place};
use super::{Consumer, Trouble};
use crate::config::NatsConfig;
use crate::nats::{self, Envelope, STREAM};

/// Messages asked for at a time.
const BATCH: usize = 64;
/// How long the server holds such a request open when there is nothing.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often the server is told that messages are under way; well within its wait for an acknowledgement.
const PROGRESS: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_secs(1);
const FIRST_BACKOFF: Duration = Duration::from_millis(200);
const LONGEST_BACKOFF: Duration = Duration::from_mins(1);
/// For what is unavailable: it may be back any moment.
const LONGEST_WAIT: Duration = Duration::from_secs(2);
/// Deliveries of a message, whatever became of them, after which it is thought to kill the process that handles it.
const DELIVERIES: i64 = 50;

/// Runs `consumer` until `stop`. Neither NATS nor its durable need be there yet.
pub async fn run(
    consumer: Arc<dyn Consumer>,
    store: EventStore,
    config: NatsConfig,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let jetstream = nats::connect(&config, consumer.name(), BATCH).await?;
    let worker = Worker { consumer, store };
    let messages = async {
        loop {
            if let Err(error) = worker.pull(&jetstream).await {
                tracing::debug!(name = worker.consumer.name(), error = format!("{error:#}"), "no messages");
                tokio::time::sleep(PAUSE).await;
            }
        }
    };
    stop.run_until_cancelled(Box::pin(async { tokio::join!(messages, worker.watch_letters()) })).await;
    Ok(())
}

struct Worker {
    consumer: Arc<dyn Consumer>,
    store: EventStore,
}

impl Worker {
    /// Handles messages until there are none for a while.
    async fn pull(&self, jetstream: &async_nats::jetstream::Context) -> anyhow::Result<()> {
        let durable: PullConsumer = jetstream.get_consumer_from_stream(self.consumer.name(), STREAM).await?;
        let batch = durable.batch().max_messages(BATCH).expires(PATIENCE).messages().await?;
        let mut chunks = batch.ready_chunks(BATCH);
        while let Some(messages) = chunks.next().await {
            let messages: Result<Vec<Message>, _> = messages.into_iter().collect();
            self.take_all(&messages.map_err(|error| anyhow!(error))?).await?;
        }
        Ok(())
    }

    /// Handles messages, and tells the server meanwhile that they are under way.
    async fn take_all(&self, messages: &[Message]) -> anyhow::Result<()> {
        let envelopes: Vec<_> =
            messages.iter().map(|message| Envelope::parse(&message.payload).ok()).collect();
        let positions: Vec<i64> = envelopes.iter().flatten().map(|envelope| envelope.position).collect();
        let done: Vec<AtomicBool> = messages.iter().map(|_| AtomicBool::new(false)).collect();

        let work = async {
            let (events, lineage) = self.look_up(&positions).await;
            let messages = stream::iter(messages.iter().zip(&envelopes).zip(&done));
            let take = async |((message, envelope), done): ((&Message, &Option<Envelope>), &AtomicBool)| {
                let event = envelope.as_ref().and_then(|envelope| vouched_for(envelope, lineage, &events));
                let answer = self.take(message, event).await;
                done.store(true, Ordering::Relaxed);
                // An acknowledgement that gets lost means that the event comes again.
                let _ = message.ack_with(answer).await;
            };
            messages.for_each_concurrent(self.consumer.at_once(), take).await;
        };
        let keep = async {
            let mut ticks = interval(PROGRESS);
            loop {
                ticks.tick().await;
                for (message, _) in
                    messages.iter().zip(&done).filter(|(_, done)| !done.load(Ordering::Relaxed))
                {
                    let _ = message.ack_with(AckKind::Progress).await;
                }
            }
        };
        tokio::select! { () = work => {}, () = keep => {} }
        Ok(())
    }

    /// The events at `positions`, and the log's lineage; waits until the database is there. The messages stay with this
    /// instance meanwhile, so their deliveries do not count up.
    async fn look_up(&self, positions: &[i64]) -> (HashMap<i64, RawEvent>, Uuid) {
        let mut tries = 0;
        loop {
            match tokio::try_join!(self.store.read_at(positions), self.store.lineage()) {
                Ok(found) => return found,
                Err(error) => self.wait(&mut tries, &error.into()).await,
            }
        }
    }

    async fn wait(&self, tries: &mut i32, error: &anyhow::Error) {
        *tries += 1;
        tracing::warn!(name = self.consumer.name(), error = format!("{error:#}"), "waits and tries again");
        tokio::time::sleep(backoff(*tries).min(LONGEST_WAIT)).await;
    }

    /// Handles one message, and says what to answer.
    async fn take(&self, message: &Message, event: Option<&RawEvent>) -> AckKind {
        let name = self.consumer.name();
        let Some(event) = event else {
            counter!("docuvault_foreign_messages_total", "consumer" => name).increment(1);
            tracing::warn!(name, subject = %message.subject, "a message does not match the log: ignored");
            return AckKind::Term;
        };
        let place = Place { consumer: name, position: event.position, event_id: event.event_id };
        let delivered = message.info().map_or(1, |info| info.delivered);
        let deadly = delivered > DELIVERIES && self.consumer.gives_up();
        let mut tries = 0;
        loop {
            let outcome = if deadly {
                Err(Trouble::Failed(anyhow!("it was delivered {delivered} times and never answered")))
            } else {
                self.handle(event.clone()).await
            };
            match self.settle(place, outcome).await {
                Ok(None) => return AckKind::Ack,
                Ok(Some(failed)) if failed.dead => return AckKind::Term,
                Ok(Some(failed)) => return AckKind::Nak(Some(backoff(failed.tries))),
                Err(error) => self.wait(&mut tries, &error).await,
            }
        }
    }

    async fn handle(&self, event: RawEvent) -> Result<(), Trouble> {
        let opened = self.store.open(vec![event]).await.map_err(anyhow::Error::from)?;
        let event = opened.into_iter().next().context("no event").map_err(Trouble::Failed)?;
        let handled = AssertUnwindSafe(self.consumer.handle(event)).catch_unwind().await;
        handled.unwrap_or_else(|_| Err(Trouble::Failed(anyhow!("the consumer panicked"))))
    }

    /// Writes down what became of a try. An error: there was none, or it could not be written down.
    async fn settle(
        &self,
        place: Place,
        outcome: Result<(), Trouble>,
    ) -> anyhow::Result<Option<dead_letters::Failed>> {
        let pool = self.store.pool();
        match outcome {
            Ok(()) => {
                dead_letters::clear(pool, place).await?;
                Ok(None)
            }
            Err(Trouble::Unavailable(error)) => Err(error),
            Err(Trouble::Failed(error)) => {
                let text = format!("{error:#}");
                let id = self.store.clock().new_id();
                let failed = dead_letters::fail(pool, id, place, &text, self.consumer.gives_up()).await?;
                let dead_letters::Failed { tries, dead } = failed;
                tracing::error!(
                    name = place.consumer,
                    position = place.position,
                    tries,
                    dead,
                    error = text,
                    "an event could not be handled"
                );
                Ok(Some(failed))
            }
        }
    }

    /// Tries again what operators ask for, and counts what waits for them.
    async fn watch_letters(&self) {
        let mut ticks = interval(PAUSE);
        loop {
            ticks.tick().await;
            if let Err(error) = self.retry_letters().await {
                tracing::debug!(error = format!("{error:#}"), "the dead letters cannot be looked at");
            }
        }
    }

    async fn retry_letters(&self) -> anyhow::Result<()> {
        let (pool, name) = (self.store.pool(), self.consumer.name());
        while let Some(place) = dead_letters::claim(pool, name).await? {
            let event = self.store.read_at(&[place.position]).await?.remove(&place.position);
            let outcome = match event.filter(|event| event.event_id == place.event_id) {
                Some(event) => self.handle(event).await,
                None => Err(Trouble::Failed(anyhow!("the log has no such event"))),
            };
            if let Err(error) = self.settle(place, outcome).await {
                dead_letters::give_back(pool, place).await?;
                return Err(error);
            }
        }
        #[expect(clippy::cast_precision_loss, reason = "a gauge for people")]
        gauge!("docuvault_dead_letters", "consumer" => name)
            .set(dead_letters::count(pool, name).await? as f64);
        Ok(())
    }
}

/// The event that a message speaks of, if the log holds it.
fn vouched_for<'a>(
    envelope: &Envelope,
    lineage: Uuid,
    events: &'a HashMap<i64, RawEvent>,
) -> Option<&'a RawEvent> {
    let event = events.get(&envelope.position)?;
    (event.event_id == envelope.id && envelope.lineage() == Some(lineage)).then_some(event)
}

/// 0.2 s, 0.8 s, 3.2 s, 12.8 s, … a minute.
fn backoff(tries: i32) -> Duration {
    let doublings = u32::try_from(tries.max(1) - 1).unwrap_or(0).min(8) * 2;
    (FIRST_BACKOFF * 2_u32.pow(doublings)).min(LONGEST_BACKOFF)
}
