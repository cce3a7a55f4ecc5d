//! Group commit: appends are serialized by the gate anyway, so those that wait share one statement and one fsync.
//!
//! One batch is under way at a time; what arrives meanwhile makes the next. Alone, an append leaves at once.

use std::time::Duration;

use metrics::{counter, histogram};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::StoreError;
use crate::append::{self, Answer, Append, MAX_BYTES, MAX_EVENTS};

/// Appends waiting at most; further commands wait for a place.
const QUEUE: usize = 1024;
/// How long an append whose outcome is unknown is tried again before the caller is told so.
const UNKNOWN_FOR: Duration = Duration::from_secs(20);
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
        let appends: Vec<&Append> = batch.iter().map(|(append, _)| append).collect();
        let answers = match self.send(&appends).await {
            Ok(answers) => answers.into_iter().map(Ok).collect(),
            Err(error) if batch.len() == 1 || !is_definite(&error) => vec![Err(error)],
            // The whole batch was refused; one by one, only the culprit is.
            Err(_) => {
                let mut answers = Vec::with_capacity(appends.len());
                for append in &appends {
                    answers.push(self.send(&[append]).await.map(|answers| answers[0]));
                }
                answers
            }
        };
        let mut answers = answers.into_iter();
        for (_, reply) in batch {
            let answer = match answers.next() {
                Some(Err(error)) if is_definite(&error) => Err(error.into()),
                Some(Ok(answer)) => Ok(answer),
                // The outcome of the whole batch is unknown.
                Some(Err(_)) | None => Err(StoreError::Unknown),
            };
            if matches!(answer, Ok(Answer::Conflict)) {
                counter!("docuvault_append_conflicts_total").increment(1);
            }
            // Nobody waits any more: the answer stands all the same.
            drop(reply.send(answer));
        }
    }

    /// Through the door, again and again while the outcome is unknown: the door recognizes what it already holds.
    async fn send(&mut self, batch: &[&Append]) -> Result<Vec<Answer>, sqlx::Error> {
        let give_up = Instant::now() + UNKNOWN_FOR;
        let mut retrying = false;
        loop {
            let outcome = match self.connection().await {
                Ok(connection) => append::send(connection, batch, retrying).await,
                Err(error) => Err(error),
            };
            match outcome {
                Ok(answers) => return Ok(answers),
                Err(error) if is_definite(&error) => return Err(error),
                Err(error) => {
                    tracing::warn!(%error, appends = batch.len(), "the outcome of an append is unknown; asking again");
                    self.connection = None;
                    retrying = true;
                    if Instant::now() >= give_up {
                        return Err(error);
                    }
                    tokio::time::sleep(RECONNECT_AFTER).await;
                }
            }
        }
    }

    async fn connection(&mut self) -> Result<&mut PgConnection, sqlx::Error> {
        if let Some(connection) = self.connection.take() {
            return Ok(self.connection.insert(connection));
        }
        let mut connection = self.options.connect().await?;
        connection.ping().await?;
        Ok(self.connection.insert(connection))
    }
}

/// The server refused before it committed. Anything else — a cut connection, a server going down — may have committed.
pub(crate) fn is_definite(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(error) => error.code().is_some_and(|code| {
            !code.starts_with("08") && !code.starts_with("57P") && !code.starts_with("58")
        }),
        sqlx::Error::Protocol(_)
        | sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => false,
        _ => true,
    }
}
