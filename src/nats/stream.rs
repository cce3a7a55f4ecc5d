//! Making and unmaking the JetStream stream and its durables. Only the relay, and the doctor, may.

use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, pull};
use async_nats::jetstream::context::{GetStreamError, GetStreamErrorKind};
use async_nats::jetstream::stream::{self, PersistenceMode, Stream};
use async_nats::jetstream::{Context, ErrorCode};

use super::{STREAM, SUBJECTS};

/// Duplicates within this time are dropped by the server, as a courtesy: nothing relies on it.
const DUPLICATE_WINDOW: Duration = Duration::from_mins(2);
/// A message that is neither acknowledged nor said to be under way for so long is delivered again.
const ACK_WAIT: Duration = Duration::from_secs(30);
/// Messages under way to all instances of a consumer.
const MAX_ACK_PENDING: i64 = 256;

/// A consumer's place in the stream, kept by the server under a name that never changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Durable {
    pub name: &'static str,
    pub subjects: &'static [&'static str],
}

/// Makes the stream if it is missing, and every durable that is missing; leaves others as they are.
pub async fn ensure(jetstream: &Context, durables: &[Durable]) -> anyhow::Result<Stream> {
    let config = stream::Config {
        name: STREAM.into(),
        subjects: vec![SUBJECTS.into()],
        duplicate_window: DUPLICATE_WINDOW,
        // One fsync per message would cost nineteen in twenty of them. Losing the end is noticed, and made good.
        persist_mode: Some(PersistenceMode::Async),
        ..stream::Config::default()
    };
    let stream = match jetstream.get_stream(STREAM).await {
        Err(error) if is_missing(&error) => jetstream.create_stream(config).await?,
        found => found?,
    };
    for durable in durables {
        let config = pull::Config {
            durable_name: Some(durable.name.into()),
            ack_policy: AckPolicy::Explicit,
            ack_wait: ACK_WAIT,
            max_ack_pending: MAX_ACK_PENDING,
            filter_subjects: durable.subjects.iter().map(|&subject| subject.into()).collect(),
            ..pull::Config::default()
        };
        stream.create_consumer(config).await?;
    }
    Ok(stream)
}

/// Deletes the stream and with it every durable. Fine when there is none.
pub async fn delete(jetstream: &Context) -> anyhow::Result<()> {
    match jetstream.get_stream(STREAM).await {
        Err(error) if is_missing(&error) => {}
        found => {
            found?;
            jetstream.delete_stream(STREAM).await?;
        }
    }
    Ok(())
}

pub fn is_missing(error: &GetStreamError) -> bool {
    matches!(error.kind(), GetStreamErrorKind::JetStream(error) if error.error_code() == ErrorCode::STREAM_NOT_FOUND)
}
