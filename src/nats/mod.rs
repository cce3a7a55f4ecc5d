//! NATS JetStream: names that never change, and connections. The JetStream stream is a copy of the log, message for
//! event: a message's sequence is its event's position. So it can be compared with the log, and thrown away.

mod message;
mod stream;

use std::time::Duration;

use async_nats::jetstream::{self, Context};
use async_nats::{ConnectOptions, Event};
use secrecy::ExposeSecret;

pub use message::{CloudEvent, Envelope, MalformedMessage, subject};
pub use stream::{Durable, delete, ensure, is_missing};

use crate::config::NatsConfig;

/// The one JetStream stream.
pub const STREAM: &str = "docuvault";
/// What it holds.
pub const SUBJECTS: &str = "docuvault.>";
/// The client that publishes, and that makes the stream and its durables.
pub const RELAY: &str = "relay";

/// How long an answer of the server may take.
const ANSWER_TIME: Duration = Duration::from_secs(5);
const LONGEST_RECONNECT_PAUSE: Duration = Duration::from_secs(1);

/// A connection for the client `name`, with publishes of which at most `unacknowledged` are under way. It comes back by
/// itself after every interruption, and does not need the server to be there now.
pub async fn connect(
    config: &NatsConfig,
    name: &'static str,
    unacknowledged: usize,
) -> anyhow::Result<Context> {
    let mut options = ConnectOptions::new()
        .name(format!("docuvault-{name}"))
        .custom_inbox_prefix(format!("_INBOX.{name}"))
        .require_tls(config.tls)
        .request_timeout(Some(ANSWER_TIME))
        .retry_on_initial_connect()
        .max_reconnects(None)
        .reconnect_delay_callback(|attempt| {
            LONGEST_RECONNECT_PAUSE
                .min(Duration::from_millis(50) * u32::try_from(attempt).unwrap_or(u32::MAX))
        })
        .event_callback(move |event| async move { report(name, &event) });
    if let Some(login) = config.login(name) {
        options = options.user_and_password(login.user, login.password.expose_secret().to_owned());
    }
    let client = options.connect(config.address()).await?;
    let context = jetstream::context::ContextBuilder::new()
        .timeout(ANSWER_TIME)
        .max_ack_inflight(unacknowledged)
        .backpressure_on_inflight(true);
    Ok(context.build(client))
}

fn report(client: &'static str, event: &Event) {
    match event {
        Event::Connected => tracing::info!(client, "connected to NATS"),
        Event::Disconnected => tracing::warn!(client, "NATS is not reached"),
        Event::ServerError(error) => tracing::warn!(client, %error, "NATS refuses"),
        Event::ClientError(error) => tracing::warn!(client, %error, "NATS is not reached"),
        other => tracing::debug!(client, event = %other, "NATS"),
    }
}
