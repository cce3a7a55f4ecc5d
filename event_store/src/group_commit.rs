//! Group commit: appends are serialized by the gate anyway, so those that wait share one statement and one fsync.
//!
//! While a batch commits, the next one is gathered; once it is as large it is sent ahead, over a second connection, to
//! stand at the gate. Which of the two the gate lets in first is not ours to say, so no batch is sent beside one that
//! has a stream in common with it: whatever was decided on the state after an append follows that append. Alone, an
//! append leaves at once.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt};
use sqlx::postgres::PgConnectOptions;
use tokio::sync::{mpsc, oneshot};

use crate::StoreError;
use crate::append::{Answer, Append, MAX_BYTES, MAX_EVENTS};
use crate::lane::Lane;

/// Appends waiting at most; further commands wait for a place.
const QUEUE: usize = 1024;
/// Batches under way at once: one commits, one stands at the gate.
const LANES: usize = 2;

pub(crate) type Reply = oneshot::Sender<Result<Answer, StoreError>>;

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
    pub(crate) fn start(options: &PgConnectOptions) -> Self {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let lanes = (0..LANES).map(|_| Lane::new(options.clone())).collect();
        tokio::spawn(Batcher::new(receiver, lanes).run());
        Self(sender)
    }

    /// Takes a place in the queue: of two appends to one stream, that of the earlier call goes through the door first.
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

/// Appends that will share a statement.
#[derive(Default)]
struct Batch {
    appends: Vec<(Append, Reply)>,
    events: usize,
    bytes: usize,
    /// What came next did not fit: it can grow no more.
    is_full: bool,
    /// Hashes of its streams; two streams with the same hash only wait for each other.
    streams: Vec<u64>,
}

/// A batch has been answered: what it used is free again.
struct Done {
    lane: Lane,
    events: usize,
    streams: Vec<u64>,
}

struct Batcher {
    receiver: mpsc::Receiver<Message>,
    next: Batch,
    /// What cannot join `next`; everything after it waits.
    held: Option<Message>,
    closed: bool,
    idle: Vec<Lane>,
    under_way: FuturesUnordered<BoxFuture<'static, Done>>,
    events_under_way: usize,
    streams_under_way: HashSet<u64>,
    hasher: RandomState,
}

impl Batcher {
    fn new(receiver: mpsc::Receiver<Message>, idle: Vec<Lane>) -> Self {
        Self {
            receiver,
            next: Batch::default(),
            held: None,
            closed: false,
            idle,
            under_way: FuturesUnordered::new(),
            events_under_way: 0,
            streams_under_way: HashSet::new(),
            hasher: RandomState::new(),
        }
    }

    async fn run(mut self) {
        loop {
            self.gather();
            if self.is_due() {
                self.send();
            }
            tokio::select! {
                biased;
                Some(done) = self.under_way.next() => {
                    self.idle.push(done.lane);
                    self.events_under_way -= done.events;
                    for stream in done.streams {
                        self.streams_under_way.remove(&stream);
                    }
                }
                message = self.receiver.recv(), if self.held.is_none() && !self.closed => match message {
                    Some(message) => self.take(message),
                    None => self.closed = true,
                },
                else => return,
            }
        }
    }

    /// Takes what waits already.
    fn gather(&mut self) {
        while let Some(message) = self.held.take().or_else(|| self.receiver.try_recv().ok()) {
            self.take(message);
            if self.held.is_some() {
                return;
            }
        }
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Barrier(reply) if self.next.appends.is_empty() && self.under_way.is_empty() => {
                // Nobody waits any more: nothing is lost.
                let _ = reply.send(());
            }
            Message::Append(append, reply) => {
                let (events, bytes) =
                    (self.next.events + append.events.len(), self.next.bytes + append.bytes());
                let streams = self.streams(&append);
                let fits = self.next.appends.is_empty() || (events <= MAX_EVENTS && bytes <= MAX_BYTES);
                self.next.is_full = !fits;
                if !fits || streams.iter().any(|stream| self.streams_under_way.contains(stream)) {
                    self.held = Some(Message::Append(append, reply));
                    return;
                }
                self.next.appends.push((append, reply));
                self.next.events = events;
                self.next.bytes = bytes;
                self.next.streams.extend(streams);
            }
            barrier @ Message::Barrier(_) => self.held = Some(barrier),
        }
    }

    fn streams(&self, append: &Append) -> Vec<u64> {
        let expected = append.expected.iter().map(|(stream, _)| stream);
        expected
            .chain(append.events.iter().map(|event| &event.stream))
            .map(|id| self.hasher.hash_one(id))
            .collect()
    }

    /// The batch goes when it is first in line, or large enough not to waste the turn after the one under way.
    fn is_due(&self) -> bool {
        let is_large = self.next.is_full || self.next.events >= self.events_under_way;
        is_large && !self.next.appends.is_empty() && !self.idle.is_empty()
    }

    fn send(&mut self) {
        let Some(mut lane) = self.idle.pop() else { return };
        let Batch { appends, events, streams, .. } = std::mem::take(&mut self.next);
        self.events_under_way += events;
        self.streams_under_way.extend(&streams);
        self.under_way.push(Box::pin(async move {
            lane.commit(appends, events).await;
            Done { lane, events, streams }
        }));
    }
}
