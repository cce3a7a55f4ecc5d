//! Pipelined publishes: many are under way, and the answers are read in order.

use std::collections::VecDeque;

use anyhow::{Context, ensure};
use async_nats::jetstream::context::PublishAckFuture;
use async_nats::jetstream::message::PublishMessage;
use event_store::RawEvent;
use uuid::Uuid;

use super::Relay;
use crate::nats::{CloudEvent, STREAM, subject};

/// Publishes that may be under way.
pub(super) const WINDOW: usize = 1024;
/// Events read at a time: bounds the memory, whatever the backlog (an event has at most 64 KiB).
const BATCH: i64 = 1024;

impl Relay {
    /// Publishes the next events after position `after`, and answers the last position that is acknowledged.
    pub(super) async fn publish_after(&self, after: i64, lineage: Uuid) -> anyhow::Result<i64> {
        let mut connection = self.store.pool().acquire().await?;
        let events = RawEvent::after(&mut connection, after, BATCH).await?;
        drop(connection);
        let last = events.last().map_or(after, |event| event.position);
        ensure!(last - after == i64::try_from(events.len())?, "the log has a gap after position {after}");

        let mut under_way: VecDeque<(i64, PublishAckFuture)> = VecDeque::with_capacity(events.len());
        for event in &events {
            under_way.push_back((event.position, self.publish(event, lineage).await?));
        }
        for (position, acknowledgement) in under_way {
            let stored = acknowledgement.await.with_context(|| format!("publishing position {position}"))?;
            ensure!(
                i64::try_from(stored.sequence) == Ok(position),
                "position {position} has sequence {} in the stream",
                stored.sequence
            );
        }
        Ok(last)
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
