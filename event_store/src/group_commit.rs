//! Group commit: appends are serialized by the gate anyway, so those that wait share one statement and one fsync.
//!
//! One batch is under way at a time; what arrives meanwhile makes the next. Alone, an append leaves at once.

use std::time::Duration;

use metrics::{counter, histogram};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, PgConnection};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

use crate::StoreError;
use crate::append::{self, Answer, Append, MAX_BYTES, MAX_EVENTS};

/// Appends waiting at most; further commands wait for a place.
const QUEUE: usize = 1024;
/// How long an append whose outcome is unknown is tried again before the caller is told so.
pub(crate) const UNKNOWN_FOR: Duration = Duration::from_secs(20);
const RECONNECT_AFTER: Duration = Duration::from_millis(50);

type Reply = oneshot::Sender<Result<Answer, StoreError>>;

enum Message {
    Append(Append, Reply),
    /// Answered once everything sent before it has been answered.
    Barrier(oneshot::Sender<()>),
}

/// The way to the one batcher of this process. Cheap to clone; the batcher ends with its last clone.
#[derive(Clone)]
pub(crate) struct GroupCommit(mpsc::Sender<Message>);

/// An append that has its place in the queue.
pub(crate) struct Enqueued(oneshot::Receiver<Result<Answer, StoreError>>);

impl Enqueued {
    pub(crate) async fn answer(self) -> Result<Answer, StoreError> {
        self.0.await.map_err(|_| StoreError::Closed)?
    }
}

impl GroupCommit {
    pub(crate) fn start(options: PgConnectOptions) -> Self {
        let (sender, receiver) = mpsc::channel(QUEUE);
        tokio::spawn(Batcher { options, connection: None, receiver }.run());
        Self(sender)
    }

    /// Takes a place in the queue: appends go through the door in the order of these calls.
    pub(crate) async fn enqueue(&self, append: Append) -> Result<Enqueued, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.0.send(Message::Append(append, reply)).await.map_err(|_| StoreError::Closed)?;
        Ok(Enqueued(answer))
    }

    /// Waits until everything enqueued before has been answered.
    pub(crate) async fn barrier(&self) -> Result<(), StoreError> {
        let (reply, answer) = oneshot::channel();
        self.0.send(Message::Barrier(reply)).await.map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)
    }
}

struct Batcher {
    options: PgConnectOptions,
    connection: Option<PgConnection>,
    receiver: mpsc::Receiver<Message>,
}

impl Batcher {
    async fn run(mut self) {
        let mut next = None;
        while let Some(message) = match next.take() {
            Some(message) => Some(message),
            None => self.receiver.recv().await,
        } {
            match message {
                Message::Barrier(reply) => drop(reply.send(())),
                Message::Append(append, reply) => next = self.gather(append, reply).await,
            }
        }
    }

    /// Sends `first` and all that fit with it; answers them; returns the message that did not fit.
    async fn gather(&mut self, first: Append, reply: Reply) -> Option<Message> {
        let (mut events, mut bytes) = (first.events.len(), first.bytes());
        let mut batch = vec![(first, reply)];
        let mut left_over = None;
        while let Ok(message) = self.receiver.try_recv() {
            match message {
                Message::Append(append, reply)
                    if events + append.events.len() <= MAX_EVENTS && bytes + append.bytes() <= MAX_BYTES =>
                {
                    events += append.events.len();
                    bytes += append.bytes();
                    batch.push((append, reply));
                }
                message => {
                    left_over = Some(message);
                    break;
                }
            }
        }
        #[expect(clippy::cast_precision_loss, reason = "at most 256")]
        histogram!("docuvault_append_batch_events").record(events as f64);
        let started = Instant::now();
        self.commit(batch).await;
        histogram!("docuvault_append_seconds").record(started.elapsed().as_secs_f64());
        left_over
    }

    async fn commit(&mut self, batch: Vec<(Append, Reply)>) {
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
        while let Ok(outcome) = timeout_at(give_up, self.attempt(batch, *retrying)).await {
            match outcome {
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
        self.connection = None;
        *retrying = true;
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

/// The server refused before it committed. Anything else — a cut connection, a server going down — may have committed.
pub(crate) fn is_definite(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(error) => error.code().is_some_and(|code| {
            !["08", "57P", "58"].iter().any(|class| code.starts_with(class)) && code != "40003"
        }),
        sqlx::Error::Encode(_) | sqlx::Error::RowNotFound => true,
        _ => false,
    }
}
