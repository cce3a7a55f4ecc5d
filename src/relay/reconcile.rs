//! Compares the stream with the log.

use anyhow::{Context, bail, ensure};
use async_nats::jetstream::stream::Stream;
use uuid::Uuid;

use super::{REFUSALS, Relay};
use crate::nats::{self, Envelope, STREAM};

/// The stream tells another story than the log: the log was restored from a backup.
#[derive(Debug, thiserror::Error)]
#[error("{problem}; if the log was restored from a backup, run `docuvault doctor --after-restore`")]
pub struct Divergence {
    problem: String,
}

/// What the end of a stream says.
enum End {
    /// It is a copy of the log up to this position.
    At(i64),
    /// It is not what the relay has written, or less: why it is to be made again.
    Useless(&'static str),
    Ahead(Divergence),
}

impl Relay {
    /// Makes the stream if need be, and answers the position up to which it is a copy of the log.
    pub(super) async fn reconcile(&mut self, lineage: Uuid, checkpoint: i64) -> anyhow::Result<i64> {
        let mut stream = nats::ensure(&self.jetstream, &self.durables).await?;
        let end = match self.end_of(&mut stream, lineage, checkpoint).await? {
            End::At(_) if self.refusals >= REFUSALS => End::Useless("it takes no more messages"),
            end => end,
        };
        match end {
            End::At(position) => Ok(position),
            End::Ahead(divergence) => Err(divergence.into()),
            End::Useless(reason) => {
                tracing::warn!(reason, "the JetStream stream is made again and filled from the log");
                nats::delete(&self.jetstream).await?;
                nats::ensure(&self.jetstream, &self.durables).await?;
                self.refusals = 0;
                Ok(0)
            }
        }
    }

    /// As often as one likes: nobody but this relay has published, the stream is still there, and the log the same.
    pub(super) async fn look(&self, last: i64, lineage: Uuid) -> anyhow::Result<()> {
        ensure!(self.store.lineage().await? == lineage, "the log has begun a new lineage");
        let stream = self.jetstream.get_stream(STREAM).await.context("the JetStream stream")?;
        let state = &stream.cached_info().state;
        if i64::try_from(state.last_sequence) != Ok(last) || state.consumer_count < self.durables.len() {
            bail!("the JetStream stream has changed under the relay");
        }
        Ok(())
    }

    async fn end_of(&self, stream: &mut Stream, lineage: Uuid, checkpoint: i64) -> anyhow::Result<End> {
        let state = stream.info().await?.state.clone();
        let last = i64::try_from(state.last_sequence)?;
        if last == 0 {
            return Ok(End::At(0));
        }
        if state.messages != state.last_sequence {
            return Ok(End::Useless("messages are missing in it"));
        }
        let message = stream.get_raw_message(state.last_sequence).await?;
        let Some(envelope) = Envelope::parse(&message.payload).ok().filter(|found| found.position == last)
        else {
            return Ok(End::Useless("a message in it is not the relay's"));
        };
        if envelope.lineage() != Some(lineage) {
            return self.of_other_lineage(&envelope).await;
        }
        let held = self.store.read_at(&[last]).await?.remove(&last);
        Ok(match held {
            None => End::Ahead(Divergence {
                problem: format!("NATS holds position {last}, which the log does not have"),
            }),
            Some(event) if event.event_id != envelope.id => End::Ahead(Divergence {
                problem: format!("NATS holds another event at position {last} than the log"),
            }),
            Some(_) => {
                if last < checkpoint {
                    tracing::warn!(
                        last,
                        checkpoint,
                        "NATS has lost the end of the JetStream stream: it is filled again"
                    );
                }
                End::At(last)
            }
        })
    }

    /// A lineage that the doctor has ended leaves a stream that may go.
    async fn of_other_lineage(&self, envelope: &Envelope) -> anyhow::Result<End> {
        let ended = sqlx::query_scalar!(
            r#"SELECT EXISTS (SELECT FROM former_lineages WHERE lineage = $1) AS "ended!""#,
            envelope.lineage()
        );
        if ended.fetch_one(self.store.pool()).await? {
            return Ok(End::Useless("it is of a lineage that has ended"));
        }
        let problem = "NATS holds events of another lineage than the log's".to_owned();
        Ok(End::Ahead(Divergence { problem }))
    }
}
