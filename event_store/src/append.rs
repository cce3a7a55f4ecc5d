//! One append, and a batch of them as the arguments of the door.

use aggregates::UserId;
use serde_json::{Value, json};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::idempotency::OutcomeRow;

/// At most this many events in a batch; the door refuses more.
pub(crate) const MAX_EVENTS: usize = 256;
/// At most this many bytes of payload and metadata in a batch; the door refuses more.
pub(crate) const MAX_BYTES: usize = 1 << 20;

/// One aggregate instance's events, or one person's accesses of a month.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct StreamId {
    pub(crate) aggregate_type: &'static str,
    pub(crate) aggregate_id: String,
}

/// How far a stream is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Head {
    /// Of the last event; 0: there is none.
    pub(crate) sequence: i64,
    /// The last event, if it is known: the sequence alone does not tell it from another process's.
    pub(crate) event_id: Option<Uuid>,
}

/// An event as it will be stored, but for what the door assigns.
#[derive(Clone, Debug)]
pub(crate) struct NewEvent {
    pub(crate) stream: StreamId,
    pub(crate) event_id: Uuid,
    pub(crate) owner_id: UserId,
    pub(crate) event_type: String,
    pub(crate) event_version: String,
    pub(crate) payload: String,
    pub(crate) metadata: String,
}

/// What is taken whole or not at all. Its event ids are fixed, so that the door recognizes it when it comes again.
#[derive(Clone, Debug)]
pub(crate) struct Append {
    /// Every stream that the decision rests on, written or only read.
    pub(crate) expected: Vec<(StreamId, Head)>,
    pub(crate) events: Vec<NewEvent>,
    pub(crate) subjects: Vec<UserId>,
    pub(crate) outcome: Option<OutcomeRow>,
}

/// What the door answered for one append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// In the log, at this first position.
    Appended(i64),
    Conflict,
    NoKey,
    Duplicate,
    /// A caller's statement found nothing to do.
    Precondition,
}

impl Append {
    pub(crate) fn bytes(&self) -> usize {
        self.events.iter().map(|event| event.payload.len() + event.metadata.len()).sum()
    }

    /// The one parameter of `append_or_fail`.
    pub(crate) fn to_json(&self) -> Value {
        let mut streams = Streams::default();
        let expected: Vec<_> = self
            .expected
            .iter()
            .map(|(id, head)| (streams.index(id), head.sequence, head.event_id))
            .collect();
        let events: Vec<_> = self
            .events
            .iter()
            .map(|event| {
                json!({
                    "stream": streams.index(&event.stream), "event_id": event.event_id, "owner_id": event.owner_id,
                    "event_type": event.event_type, "event_version": event.event_version,
                    "payload": event.payload, "metadata": event.metadata,
                })
            })
            .collect();
        let streams: Vec<_> = streams.types.iter().zip(&streams.ids).collect();
        let outcomes: Vec<_> = self.outcome.iter().map(OutcomeRow::to_json).collect();
        json!({
            "streams": streams, "expected": expected, "events": events, "subjects": self.subjects, "outcomes": outcomes,
        })
    }
}

/// The distinct streams of a batch, numbered from 1.
#[derive(Default)]
struct Streams {
    numbers: std::collections::HashMap<StreamId, i32>,
    types: Vec<String>,
    ids: Vec<String>,
}

impl Streams {
    fn index(&mut self, id: &StreamId) -> i32 {
        if let Some(number) = self.numbers.get(id) {
            return *number;
        }
        self.types.push(id.aggregate_type.into());
        self.ids.push(id.aggregate_id.clone());
        let number = i32::try_from(self.types.len()).unwrap_or(i32::MAX);
        self.numbers.insert(id.clone(), number);
        number
    }
}

/// Sends a batch through the door: one statement, one round trip, one fsync.
pub(crate) async fn send(
    connection: &mut PgConnection,
    batch: &[&Append],
    retrying: bool,
) -> Result<Vec<Answer>, sqlx::Error> {
    let mut streams = Streams::default();
    let mut args = Arguments::default();
    for (append, number) in batch.iter().zip(1..) {
        args.push(append, number, &mut streams);
    }
    let answer = sqlx::query!(
        r#"SELECT outcomes AS "outcomes!", positions AS "positions!: Vec<Option<i64>>"
           FROM append_commands($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17,
                                $18, $19, $20, $21, $22, $23, $24, $25)"#,
        &streams.types,
        &streams.ids,
        &args.expect_append,
        &args.expect_stream,
        &args.expect_sequence,
        &args.expect_event as &[Option<Uuid>],
        &args.event_append,
        &args.event_stream,
        &args.event_ids,
        &args.owner_ids,
        &args.event_types as &[&str],
        &args.event_versions as &[&str],
        &args.payloads as &[&str],
        &args.metadatas as &[&str],
        &args.subject_append,
        &args.subject_ids,
        i32::try_from(batch.len()).unwrap_or(i32::MAX),
        retrying,
        &args.outcome_append,
        &args.outcome_actors,
        &args.outcome_routes as &[&str],
        &args.outcome_keys as &[&str],
        &args.outcome_hashes as &[&[u8]],
        &args.outcome_results as &[&str],
        &args.outcome_events,
    )
    .fetch_one(connection)
    .await?;
    answer.outcomes.iter().zip(answer.positions).map(|(outcome, position)| parse(outcome, position)).collect()
}

fn parse(outcome: &str, position: Option<i64>) -> Result<Answer, sqlx::Error> {
    match (outcome, position) {
        ("appended" | "known", Some(position)) => Ok(Answer::Appended(position)),
        ("conflict", _) => Ok(Answer::Conflict),
        ("no_key", _) => Ok(Answer::NoKey),
        ("skipped", _) => Ok(Answer::Duplicate),
        _ => Err(sqlx::Error::Protocol(format!("the door answered `{outcome}`"))),
    }
}

#[derive(Default)]
struct Arguments<'a> {
    expect_append: Vec<i32>,
    expect_stream: Vec<i32>,
    expect_sequence: Vec<i64>,
    expect_event: Vec<Option<Uuid>>,
    event_append: Vec<i32>,
    event_stream: Vec<i32>,
    event_ids: Vec<Uuid>,
    owner_ids: Vec<Uuid>,
    event_types: Vec<&'a str>,
    event_versions: Vec<&'a str>,
    payloads: Vec<&'a str>,
    metadatas: Vec<&'a str>,
    subject_append: Vec<i32>,
    subject_ids: Vec<Uuid>,
    outcome_append: Vec<i32>,
    outcome_actors: Vec<Uuid>,
    outcome_routes: Vec<&'a str>,
    outcome_keys: Vec<&'a str>,
    outcome_hashes: Vec<&'a [u8]>,
    outcome_results: Vec<&'a str>,
    outcome_events: Vec<Uuid>,
}

impl<'a> Arguments<'a> {
    fn push(&mut self, append: &'a Append, number: i32, streams: &mut Streams) {
        for (stream, head) in &append.expected {
            self.expect_append.push(number);
            self.expect_stream.push(streams.index(stream));
            self.expect_sequence.push(head.sequence);
            self.expect_event.push(head.event_id);
        }
        for event in &append.events {
            self.event_append.push(number);
            self.event_stream.push(streams.index(&event.stream));
            self.event_ids.push(event.event_id);
            self.owner_ids.push(event.owner_id.0);
            self.event_types.push(&event.event_type);
            self.event_versions.push(&event.event_version);
            self.payloads.push(&event.payload);
            self.metadatas.push(&event.metadata);
        }
        for subject in &append.subjects {
            self.subject_append.push(number);
            self.subject_ids.push(subject.0);
        }
        if let Some(outcome) = &append.outcome {
            self.outcome_append.push(number);
            self.outcome_actors.push(outcome.key.actor_id);
            self.outcome_routes.push(&outcome.key.route);
            self.outcome_keys.push(&outcome.key.key);
            self.outcome_hashes.push(&outcome.key.body_hash);
            self.outcome_results.push(&outcome.result);
            self.outcome_events.push(outcome.event_id);
        }
    }
}
