//! The second pass: every stream by itself, folded as the product folds it.

use aggregates::{Document, DocumentEvent, Event, Quota, QuotaEvent, User, UserEvent, UserId, upcasters};
use cqrs_es::Aggregate;
use cqrs_es::persist::EventUpcaster;
use event_store::{RawEvent, RecordedEvent};
use sqlx::{PgConnection, PgPool};

use super::Report;
use super::ledger::Ledger;
use crate::progress::Progress;

const BATCH: i64 = 1_000;

/// Folds all streams, of the events up to `head`.
pub(super) async fn check(
    pool: &PgPool,
    head: i64,
    ledger: &Ledger,
    report: &mut Report,
    progress: Progress<'_>,
) -> anyhow::Result<()> {
    let mut tx = pool.begin().await?;
    // Along the index, whatever the planner thinks of the table: sorting all of it for each batch would never end.
    sqlx::query!("SET LOCAL enable_sort = off").execute(&mut *tx).await?;
    let mut reader = Reader { upcasters: upcasters(), ledger, stream: None };
    let mut after = (String::new(), String::new(), 0);
    let (mut read, of) = (0, u64::try_from(head)?);
    loop {
        let batch = next(&mut tx, &after, head).await?;
        let Some(last) = batch.last() else { break };
        after = (last.aggregate_type.clone(), last.aggregate_id.clone(), last.sequence);
        read += u64::try_from(batch.len())?;
        for raw in batch {
            reader.read(raw, report);
        }
        progress("folding the streams", read, of);
    }
    reader.end(report);
    if read != of {
        report.found(
            None,
            format!("by stream the log has {read} events, by position {of}: an index is damaged"),
        );
    }
    Ok(())
}

async fn next(
    connection: &mut PgConnection,
    after: &(String, String, i64),
    head: i64,
) -> Result<Vec<RawEvent>, sqlx::Error> {
    sqlx::query_as!(
        RawEvent,
        r#"SELECT position, event_id, owner_id, aggregate_type, aggregate_id, sequence, event_type, event_version,
                  payload::text AS "payload!", metadata::text AS "metadata!", recorded_at, leaf_hash
           FROM events
           WHERE (aggregate_type, aggregate_id, sequence) > ($1, $2, $3) AND position <= $4
           ORDER BY aggregate_type, aggregate_id, sequence LIMIT $5"#,
        after.0,
        after.1,
        after.2,
        head,
        BATCH
    )
    .fetch_all(connection)
    .await
}

struct Reader<'a> {
    upcasters: Vec<Box<dyn EventUpcaster>>,
    ledger: &'a Ledger,
    stream: Option<Stream>,
}

struct Stream {
    aggregate_type: String,
    aggregate_id: String,
    owner: UserId,
    sequence: i64,
    position: i64,
    state: State,
}

/// The aggregate of a stream, as far as it is folded.
enum State {
    Document(Box<Document>),
    User(Box<User>),
    Quota(Quota),
    /// Accesses, and what the log says of itself: nothing to fold.
    Facts,
}

impl Reader<'_> {
    fn read(&mut self, raw: RawEvent, report: &mut Report) {
        let position = raw.position;
        let (aggregate_type, aggregate_id) = (raw.aggregate_type.clone(), raw.aggregate_id.clone());
        let event = match raw.decode_sealed(&self.upcasters) {
            Ok(event) => event,
            Err(error) => return report.found(Some(position), error.to_string()),
        };
        let same = |stream: &Stream| {
            (&stream.aggregate_type, &stream.aggregate_id) == (&aggregate_type, &aggregate_id)
        };
        if !self.stream.as_ref().is_some_and(same) {
            self.end(report);
            self.stream = Some(Stream {
                aggregate_type,
                aggregate_id,
                owner: event.owner_id,
                sequence: 0,
                position: 0,
                state: State::of(&event.event),
            });
            report.streams += 1;
        }
        if let Some(Err(problem)) = self.stream.as_mut().map(|stream| stream.take(event)) {
            report.found(Some(position), problem);
        }
    }

    /// The stream is over: a quota must be what the ledger says.
    fn end(&mut self, report: &mut Report) {
        let Some(stream) = self.stream.take() else { return };
        if let State::Quota(quota) = &stream.state {
            let account = self.ledger.account(stream.owner);
            if (quota.used(), quota.reserved()) != (account.used, account.reserved) {
                report.found(
                    Some(stream.position),
                    "the folded quota differs from the sum of its events".into(),
                );
            }
        }
    }
}

impl Stream {
    fn take(&mut self, event: RecordedEvent) -> Result<(), String> {
        let (sequence, position, owner) = (event.sequence, event.position, event.owner_id);
        let expected = self.sequence + 1;
        let in_order = position > self.position;
        (self.sequence, self.position) = (sequence, position);
        if sequence != expected {
            return Err(format!("sequence {sequence} of its stream comes where {expected} must be"));
        }
        if !in_order {
            return Err("comes before its predecessor in the stream".into());
        }
        if owner != self.owner {
            return Err(format!("belongs to user {owner}, its stream to user {}", self.owner));
        }
        self.state
            .apply(event)
            .then_some(())
            .ok_or_else(|| "cannot happen at this place of its stream".into())
    }
}

impl State {
    fn of(event: &Event) -> Self {
        match event {
            Event::Document(_) => Self::Document(Box::default()),
            Event::User(_) => Self::User(Box::default()),
            Event::Quota(_) => Self::Quota(Quota::default()),
            Event::Access(_) | Event::Log(_) => Self::Facts,
        }
    }

    /// False: it cannot happen now.
    fn apply(&mut self, event: RecordedEvent) -> bool {
        let first = event.sequence == 1;
        let own = event.aggregate_id == event.owner_id.to_string();
        match (self, event.event) {
            (Self::Document(document), Event::Document(change)) => {
                let begins = matches!(change, DocumentEvent::UploadRequested(_));
                let legal = change.leads_to().is_none_or(|stage| document.stage().may_become(stage));
                document.apply(change);
                legal && begins == first
            }
            (Self::User(user), Event::User(change)) => {
                let begins = matches!(change, UserEvent::UserRegistered { .. });
                user.apply(change);
                own && begins == first
            }
            (Self::Quota(quota), Event::Quota(change)) => {
                let begins = matches!(change, QuotaEvent::QuotaOpened { .. });
                own && begins == first && settles(quota, change)
            }
            (Self::Facts, Event::Access(_) | Event::Log(_)) => true,
            _ => false,
        }
    }
}

/// Applies `change`; false: it settles a reservation that there is not, or of another size.
fn settles(quota: &mut Quota, change: QuotaEvent) -> bool {
    let reserved = quota.reserved();
    let given_back = match &change {
        QuotaEvent::SpaceCommitted { bytes, .. } | QuotaEvent::SpaceReleased { bytes, .. } => *bytes,
        QuotaEvent::SpaceReserved { .. }
        | QuotaEvent::QuotaOpened { .. }
        | QuotaEvent::LimitChanged { .. }
        | QuotaEvent::SpaceFreed { .. } => 0,
    };
    let taken = if let QuotaEvent::SpaceReserved { bytes, .. } = &change { *bytes } else { 0 };
    quota.apply(change);
    quota.reserved().checked_add(given_back) == reserved.checked_add(taken)
}
