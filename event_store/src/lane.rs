//! One connection to the door: sends a batch until its outcome is known, and answers those who wait for it.

use std::io::ErrorKind;
use std::time::Duration;

use metrics::{counter, histogram};
use sqlx::postgres::{PgConnectOptions, PgDatabaseError, PgSeverity};
use sqlx::{ConnectOptions, PgConnection};
use tokio::time::{Instant, timeout_at};

use crate::StoreError;
use crate::append::{self, Answer, Append};
use crate::group_commit::Reply;

/// How long an append whose outcome is unknown is tried again before the caller is told so.
pub(crate) const UNKNOWN_FOR: Duration = Duration::from_secs(20);
/// How long one try may take: a connection that silently died must not cost all of the time there is.
const TRY_FOR: Duration = Duration::from_secs(5);
const RECONNECT_AFTER: Duration = Duration::from_millis(50);

pub(crate) struct Lane {
    options: PgConnectOptions,
    connection: Option<PgConnection>,
}

impl Lane {
    pub(crate) const fn new(options: PgConnectOptions) -> Self {
        Self { options, connection: None }
    }

    /// Brings a batch of `events` events through the door and answers each of its appends.
    pub(crate) async fn commit(&mut self, batch: Vec<(Append, Reply)>, events: usize) {
        #[expect(clippy::cast_precision_loss, reason = "at most 256")]
        histogram!("docuvault_append_batch_events").record(events as f64);
        let started = Instant::now();
        self.carry(batch).await;
        histogram!("docuvault_append_seconds").record(started.elapsed().as_secs_f64());
    }

    async fn carry(&mut self, batch: Vec<(Append, Reply)>) {
        let give_up = Instant::now() + UNKNOWN_FOR;
        let appends: Vec<&Append> = batch.iter().map(|(append, _)| append).collect();
        let mut retrying = false;
        let answers = match self.send(&appends, &mut retrying, give_up).await {
            Ok(answers) => answers.into_iter().map(Ok).collect(),
            // The whole batch was refused; one by one, only the culprit is.
            Err(StoreError::Database(_)) if batch.len() > 1 => {
                let mut answers = Vec::with_capacity(appends.len());
                for append in &appends {
                    let answer = self.send(&[append], &mut retrying, give_up).await;
                    answers.push(answer.map(|answers| answers[0]));
                }
                answers
            }
            Err(error) => vec![Err(error)],
        };
        let mut answers = answers.into_iter();
        for (_, reply) in batch {
            let answer = answers.next().unwrap_or(Err(StoreError::Unknown));
            if matches!(answer, Ok(Answer::Conflict)) {
                counter!("docuvault_append_conflicts_total").increment(1);
            }
            // Nobody waits any more: the answer stands all the same.
            drop(reply.send(answer));
        }
    }

    /// Through the door, again while the outcome is unknown: `retrying`, the door recognizes what it already holds.
    async fn send(
        &mut self,
        batch: &[&Append],
        retrying: &mut bool,
        give_up: Instant,
    ) -> Result<Vec<Answer>, StoreError> {
        while Instant::now() < give_up {
            let patience = give_up.min(Instant::now() + TRY_FOR);
            let outcome = timeout_at(patience, self.attempt(batch, *retrying)).await;
            match outcome.unwrap_or_else(|_| Err(sqlx::Error::Io(ErrorKind::TimedOut.into()))) {
                Ok(answers) => return Ok(answers),
                // Refused now, but an earlier try may have been taken.
                Err(error) if is_definite(&error) && *retrying && batch.len() == 1 => {
                    tracing::warn!(%error, "the outcome of an append stays unknown");
                    return Err(StoreError::Unknown);
                }
                Err(error) if is_definite(&error) => return Err(error.into()),
                Err(error) => {
                    if !*retrying {
                        tracing::warn!(%error, appends = batch.len(), "the outcome of an append is unknown; asking again");
                    }
                    *retrying = true;
                    self.connection = None;
                    tokio::time::sleep(RECONNECT_AFTER).await;
                }
            }
        }
        Err(StoreError::Unknown)
    }

    async fn attempt(&mut self, batch: &[&Append], retrying: bool) -> Result<Vec<Answer>, sqlx::Error> {
        let connection = match self.connection.take() {
            Some(connection) => self.connection.insert(connection),
            // Whatever keeps us out may pass, and says nothing about an earlier try.
            None => self.connection.insert(self.options.connect().await.map_err(std::io::Error::other)?),
        };
        append::send(connection, batch, retrying).await
    }
}

/// The server refused before it committed. Anything else — a cut connection, a server going down or panicking, for
/// whatever reason it names — may have committed.
pub(crate) fn is_definite(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(error) => error.try_downcast_ref::<PgDatabaseError>().is_some_and(|error| {
            let code = error.code();
            matches!(error.severity(), PgSeverity::Error)
                && !["08", "57P", "58"].iter().any(|class| code.starts_with(class))
                && code != "40003"
        }),
        sqlx::Error::Encode(_) | sqlx::Error::RowNotFound => true,
        _ => false,
    }
}
