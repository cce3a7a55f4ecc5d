//! Pipelined publishes: many are under way, and the answers are read in order.

use std::collections::VecDeque;

use anyhow::{Context, ensure};
use async_nats::jetstream::context::PublishAckFuture;
use async_nats::jetstream::message::PublishMessage;
use event_store::RawEvent;
use projections::Checkpoint;
use uuid::Uuid;

use super::Relay;
use crate::nats::{CloudEvent, STREAM, subject};

/// Publishes that may be under way. With the batch it bounds the memory, whatever the backlog.
pub(super) const WINDOW: usize = 1024;
/// Those that stay under way while the next batch is read.
const KEPT_UNDER_WAY: usize = WINDOW / 2;
/// Events read at a time.
const BATCH: i64 = 512;

impl Relay {
    /// Publishes everything after position `after`, and moves the checkpoint with the acknowledgements. Answers the last
    /// position that is acknowledged.
    pub(super) async fn publish_after(
        &mut self,
        checkpoint: &mut Checkpoint,
        after: i64,
        lineage: Uuid,
    ) -> anyhow::Result<i64> {
        let mut under_way = VecDeque::with_capacity(WINDOW);
        let (mut sent, mut stored) = (after, after);
        loop {
            let events = self.read(sent).await?;
            for event in &events {
                if under_way.len() >= WINDOW {
                    stored = confirm(&mut under_way).await?.unwrap_or(stored);
                }
                under_way.push_back((event.position, self.publish(event, lineage).await?));
                sent = event.position;
            }
            let keep = if events.is_empty() { 0 } else { KEPT_UNDER_WAY };
            while under_way.len() > keep {
                stored = confirm(&mut under_way).await?.unwrap_or(stored);
            }
            self.advance(checkpoint, stored).await?;
            if events.is_empty() {
                return Ok(stored);
            }
        }
    }

    async fn read(&self, after: i64) -> anyhow::Result<Vec<RawEvent>> {
        let mut connection = self.store.pool().acquire().await?;
        let events = RawEvent::after(&mut connection, after, BATCH).await?;
        let last = events.last().map_or(after, |event| event.position);
        ensure!(last - after == i64::try_from(events.len())?, "the log has a gap after position {after}");
        Ok(events)
    }

    async fn publish(&self, event: &RawEvent, lineage: Uuid) -> anyhow::Result<PublishAckFuture> {
        let position = event.position;
        let subject = subject(event).with_context(|| format!("position {position} names no subject"))?;
        let message = PublishMessage::build()
            .payload(serde_json::to_vec(&CloudEvent::new(event, lineage, &subject)?)?.into())
            .message_id(event.event_id.to_string())
            .expected_stream(STREAM)
            .expected_last_sequence(u64::try_from(position - 1)?);
        Ok(self.jetstream.send_publish(subject, message).await?)
    }
}

/// NATS did not take a message.
#[derive(Debug, thiserror::Error)]
#[error("publishing position {0}")]
pub(super) struct Refused(i64);

/// Waits for the answer to the oldest publish: its position.
async fn confirm(under_way: &mut VecDeque<(i64, PublishAckFuture)>) -> anyhow::Result<Option<i64>> {
    let Some((position, acknowledgement)) = under_way.pop_front() else { return Ok(None) };
    let stored = acknowledgement.await.context(Refused(position))?;
    ensure!(
        i64::try_from(stored.sequence) == Ok(position),
        "position {position} has sequence {} in the JetStream stream",
        stored.sequence
    );
    Ok(Some(position))
}
