//! One command's work: the streams it rests on, and the events it causes.

use std::any::Any;

use aggregates::log::{self, LogEvent};
use aggregates::{AccessEvent, Metadata, Part, UserId, access};
use cqrs_es::event_sink::EventSink;
use cqrs_es::{Aggregate, DomainEvent};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use crate::append::{Append, Head, NewEvent, StreamId};
use crate::idempotency::OutcomeRow;
use crate::seal::{self, Keys};
use crate::snapshot;
use crate::{Context, EventStore, Loaded, NewUserKey, SealError, StoreError};

/// What a decision loads and causes. Made by [`EventStore::execute`]; all of it is appended together.
pub struct Unit {
    store: EventStore,
    context: Context,
    /// Whether cached state may be used; it may accept, never refuse.
    pub(crate) may_use_cache: bool,
    pub(crate) used_cache: bool,
    streams: Vec<Stream>,
    events: Vec<PendingEvent>,
    new_key: Option<NewUserKey>,
    answer: Option<Value>,
}

/// A loaded stream: what the append expects, and the state to keep at hand after it.
struct Stream {
    id: StreamId,
    expected: Head,
    written: i64,
    state: Option<Box<dyn Any + Send + Sync>>,
    /// The state in a form to keep beside the log, when the append makes it due.
    snapshot: Option<Value>,
}

struct PendingEvent {
    stream: StreamId,
    event_type: String,
    event_version: String,
    payload: Value,
}

/// A stream that an append rests on: how far it was, how far the append takes it, and its state then, if it is known.
pub(crate) struct Footing {
    pub(crate) stream: StreamId,
    pub(crate) before: Head,
    pub(crate) after: Head,
    pub(crate) state: Option<Box<dyn Any + Send + Sync>>,
    pub(crate) snapshot: Option<Value>,
}

impl Unit {
    pub(crate) const fn new(store: EventStore, context: Context, may_use_cache: bool) -> Self {
        Self {
            store,
            context,
            may_use_cache,
            used_cache: false,
            streams: Vec::new(),
            events: Vec::new(),
            new_key: None,
            answer: None,
        }
    }

    pub const fn metadata(&self) -> &Metadata {
        &self.context.metadata
    }

    /// Loads an aggregate. The append will insist that its stream has not moved since.
    pub async fn load<A>(&mut self, id: Uuid) -> Result<Loaded<A>, StoreError>
    where
        A: Aggregate + Clone + 'static,
    {
        let stream = StreamId { aggregate_type: A::TYPE, aggregate_id: id.to_string() };
        let cached = if self.may_use_cache { self.store.cached::<A>(&stream) } else { None };
        let (state, expected) = match cached {
            Some(found) => {
                self.used_cache = true;
                found
            }
            None => self.store.load_stream::<A>(&stream).await?,
        };
        Ok(self.take(stream, state, expected))
    }

    /// Takes an aggregate for new, as one with a fresh id is: nothing is read, and the append will insist on it. When it
    /// turns out not to be new, the command is tried again with what there is.
    pub async fn create<A>(&mut self, id: Uuid) -> Result<Loaded<A>, StoreError>
    where
        A: Aggregate + Clone + 'static,
    {
        if !self.may_use_cache {
            return self.load(id).await;
        }
        self.used_cache = true;
        let stream = StreamId { aggregate_type: A::TYPE, aggregate_id: id.to_string() };
        Ok(self.take(stream, A::default(), Head::default()))
    }

    fn take<A>(&mut self, id: StreamId, state: A, expected: Head) -> Loaded<A> {
        self.streams.push(Stream { id, expected, written: 0, state: None, snapshot: None });
        Loaded { index: self.streams.len() - 1, state }
    }

    /// Lets the aggregate decide, and takes its events into the append. Returns how many there are.
    pub async fn handle<A>(
        &mut self,
        aggregate: &mut Loaded<A>,
        command: A::Command,
    ) -> Result<usize, UnitError<A>>
    where
        A: Aggregate<Services = ()> + Clone + 'static,
        A::Event: Serialize,
    {
        let sink = EventSink::default();
        aggregate.state.handle(command, &(), &sink).await.map_err(UnitError::Refused)?;
        let events = sink.collect().await;
        let stream = &mut self.streams[aggregate.index];
        for event in &events {
            stream.written += 1;
            self.events.push(PendingEvent::new(stream.id.clone(), event)?);
        }
        stream.state = Some(Box::new(aggregate.state.clone()));
        let before = stream.expected.sequence;
        if snapshot::is_due(A::TYPE, before, before + stream.written) {
            stream.snapshot = Some(serde_json::to_value(&aggregate.state).map_err(StoreError::from)?);
        }
        Ok(events.len())
    }

    /// Adds an access to the month's access stream of `user`: a blind append.
    pub fn record(&mut self, user: UserId, event: &AccessEvent) -> Result<(), StoreError> {
        let aggregate_id = access::stream_id(user, self.context.metadata.occurred_at);
        let stream = StreamId { aggregate_type: access::TYPE, aggregate_id };
        self.events.push(PendingEvent::new(stream, event)?);
        Ok(())
    }

    /// Adds a fact about the log itself to its stream: a blind append.
    pub fn record_of_log(&mut self, event: &LogEvent) -> Result<(), StoreError> {
        let stream = StreamId { aggregate_type: log::TYPE, aggregate_id: log::TYPE.into() };
        self.events.push(PendingEvent::new(stream, event)?);
        Ok(())
    }

    /// The key of the person whom this unit registers; the caller stores its row in the same statement.
    pub fn with_new_key(&mut self, key: NewUserKey) {
        self.new_key = Some(key);
    }

    /// The ids to answer a repeat of this command with, kept if it came with an idempotency key.
    pub fn answer(&mut self, result: Value) {
        self.answer = Some(result);
    }

    /// Seals the events and fixes their ids. `None`: nothing happened.
    pub(crate) async fn into_append(self) -> Result<Option<(Append, Vec<Footing>)>, StoreError> {
        if self.events.is_empty() {
            return Ok(None);
        }
        let Self { store, context, mut events, streams, new_key, answer, .. } = self;
        let mut subjects: Vec<UserId> =
            events.iter_mut().flat_map(|event| seal::subjects(&mut event.payload)).collect();
        subjects.extend(context.metadata.ip.as_ref().map(|ip| ip.subject));
        subjects.sort_unstable();
        subjects.dedup();
        let mut keys: Keys = Keys::new();
        if let Some(new) = new_key {
            keys.insert(new.user_id, new.key);
        }
        let wanted: Vec<UserId> = subjects.iter().copied().filter(|id| !keys.contains_key(id)).collect();
        keys.extend(store.keyring().user_keys(&wanted).await?);

        let of = u32::try_from(events.len()).unwrap_or(u32::MAX);
        let sealed = events
            .into_iter()
            .zip(1..)
            .map(|(event, index)| event.seal(&context, Part { index, of }, store.clock().new_id(), &keys));
        let events = sealed.collect::<Result<Vec<_>, _>>()?;
        let outcome = context.idempotency.zip(events.last()).map(|(key, last)| OutcomeRow {
            key,
            result: answer.unwrap_or_default().to_string(),
            event_id: last.event_id,
        });
        let expected = streams.iter().map(|stream| (stream.id.clone(), stream.expected)).collect();
        let footing = streams.into_iter().map(|stream| stream.footing(&events)).collect();
        Ok(Some((Append { expected, events, subjects, outcome }, footing)))
    }

    pub(crate) fn has_events(&self) -> bool {
        !self.events.is_empty()
    }
}

impl Stream {
    fn footing(self, events: &[NewEvent]) -> Footing {
        let Self { id: stream, expected: before, written, state, snapshot } = self;
        let last = events.iter().rfind(|event| event.stream == stream).map(|event| event.event_id);
        let after = Head { sequence: before.sequence + written, event_id: last.or(before.event_id) };
        Footing { stream, before, after, state, snapshot }
    }
}

impl PendingEvent {
    fn new<E: DomainEvent + Serialize>(stream: StreamId, event: &E) -> Result<Self, StoreError> {
        Ok(Self {
            stream,
            event_type: event.event_type(),
            event_version: event.event_version(),
            payload: serde_json::to_value(event)?,
        })
    }

    fn seal(
        self,
        context: &Context,
        part: Part,
        event_id: Uuid,
        keys: &Keys,
    ) -> Result<NewEvent, StoreError> {
        let Self { stream, event_type, event_version, mut payload } = self;
        seal::seal_payload(keys, event_id, &mut payload)?;
        let mut metadata = context.metadata.to_map(part);
        if let Some(ip) = &context.metadata.ip {
            let open = ip.open().ok_or(SealError::Encrypt)?;
            let sealed = seal::seal_value(keys, ip.subject, event_id, seal::IP, open.as_bytes())?;
            metadata.insert("ip".into(), sealed);
        }
        let metadata = serde_json::to_string(&metadata)?;
        let owner_id = context.owner_id;
        Ok(NewEvent {
            stream,
            event_id,
            owner_id,
            event_type,
            event_version,
            payload: payload.to_string(),
            metadata,
        })
    }
}

/// A command was refused, or its events could not be written down.
#[derive(Debug, thiserror::Error)]
pub enum UnitError<A: Aggregate> {
    #[error("{0}")]
    Refused(A::Error),
    #[error(transparent)]
    Store(#[from] StoreError),
}
