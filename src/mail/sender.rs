//! The loop that empties the outbox.

use std::sync::Arc;
use std::time::Duration;

use aggregates::UserId;
use anyhow::{Context, bail};
use event_store::EventStore;
use metrics::gauge;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::letter::Letter;
use super::outbox::{self, Taken};
use super::transport::Transport;
use super::{Kind, recipient};
use crate::app::App;
use crate::auth::link;

/// How often the outbox is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long one mail may take to be sent, and, longer, how long it is nobody else's.
const SEND_TIME: Duration = Duration::from_mins(1);
const LEASE: Duration = Duration::from_mins(2);
/// Less than a process gives its tasks to end.
const STOP_TIME: Duration = Duration::from_secs(10);
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_mins(5);
/// With the pauses between them, five days.
const TRIES: i32 = 1_440;

/// Sends what waits, until `stop`. Any number of processes may do it.
pub async fn run(app: Arc<App>, stop: CancellationToken) -> anyhow::Result<()> {
    let transport = Transport::new(&app.config.mail)?;
    if transport.is_none() {
        tracing::warn!("mails wait until SMTP_URL is set");
    }
    let sender = Sender { app, transport };
    while !stop.is_cancelled() {
        if let Err(error) = sender.empty(&stop).await {
            tracing::warn!(error = format!("{error:#}"), "the outbox cannot be looked at");
        }
        stop.run_until_cancelled(sleep(LOOK_EVERY)).await;
    }
    Ok(())
}

struct Sender {
    app: Arc<App>,
    transport: Option<Transport>,
}

impl Sender {
    fn store(&self) -> &EventStore {
        &self.app.store
    }

    /// Sends everything whose turn it is. A mail that is being sent at `stop` gets a little time: it would be sent twice.
    async fn empty(&self, stop: &CancellationToken) -> anyhow::Result<()> {
        let pool = self.store().pool();
        if let Some(transport) = &self.transport {
            while !stop.is_cancelled()
                && let Some(mail) = outbox::take(pool, LEASE).await?
            {
                let overdue = async {
                    stop.cancelled().await;
                    sleep(STOP_TIME).await;
                };
                tokio::select! {
                    noted = self.attempt(transport, &mail) => noted?,
                    () = overdue => return Ok(()),
                }
            }
        }
        #[expect(clippy::cast_precision_loss, reason = "a gauge for people")]
        gauge!("docuvault_mails_waiting").set(outbox::waiting(pool).await? as f64);
        Ok(())
    }

    /// Sends one mail, or postpones it. An error: that could not be noted.
    async fn attempt(&self, transport: &Transport, mail: &Taken) -> anyhow::Result<()> {
        let (pool, event_id, tries) = (self.store().pool(), mail.event_id, mail.tries);
        let sent =
            timeout(SEND_TIME, self.send(transport, mail)).await.context("it takes too long").flatten();
        let Err(error) = sent else { return Ok(outbox::finish(pool, mail, None).await?) };
        let error = format!("{error:#}");
        if tries >= TRIES {
            tracing::error!(%event_id, tries, error, "a mail is given up");
            return Ok(outbox::finish(pool, mail, Some(&error)).await?);
        }
        tracing::warn!(%event_id, tries, error, "a mail could not be sent, and is tried again");
        Ok(outbox::postpone(pool, mail, pause(tries), &error).await?)
    }

    async fn send(&self, transport: &Transport, mail: &Taken) -> anyhow::Result<()> {
        let Taken { event_id, at, .. } = *mail;
        let Some(kind) = Kind::parse(&mail.kind) else { bail!("this release does not know {:?}", mail.kind) };
        let Some(address) = recipient::address(self.store(), UserId(mail.recipient), kind).await? else {
            tracing::info!(%event_id, "a mail is dropped: its recipient is gone");
            return Ok(());
        };
        let link = match kind.purpose() {
            // Looked at after the address: a newer request for another one kills the link of this.
            Some(purpose) if !link::is_good(&self.app, purpose, event_id).await? => {
                tracing::info!(%event_id, "a mail is dropped: its link is not good any more");
                return Ok(());
            }
            purpose => purpose.map(|purpose| self.app.links.url(purpose, event_id)),
        };
        let vault = self.app.config.http.public_url.origin().ascii_serialization();
        let letter = Letter { kind, event_id, at, vault, link };
        transport.send(&letter, letter.write(&self.app.config.mail.from, address.into())?).await
    }
}

/// 1 s, 2 s, 4 s, … 5 minutes.
fn pause(tries: i32) -> Duration {
    let doublings = u32::try_from(tries.max(1) - 1).unwrap_or(0).min(16);
    (FIRST_PAUSE * 2_u32.pow(doublings)).min(LONGEST_PAUSE)
}
