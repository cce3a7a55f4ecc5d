//! The first pass: the log by position. Each row is hashed and decoded again, and what the rows say is entered into
//! the ledger, which is balanced wherever an append ends.

use aggregates::{Part, upcasters};
use chrono::{DateTime, Utc};
use cqrs_es::persist::EventUpcaster;
use event_store::{RawEvent, RecordedEvent};
use sqlx::PgPool;

use super::Report;
use super::ledger::Ledger;
use crate::progress::Progress;

const BATCH: i64 = 1_000;

/// Checks positions 1 to `head`. The ledger holds what was entered before the first problem.
pub(super) async fn check(
    pool: &PgPool,
    head: i64,
    report: &mut Report,
    progress: Progress<'_>,
) -> anyhow::Result<Ledger> {
    let mut connection = pool.acquire().await?;
    let mut reader = Reader::new();
    let mut after = i64::MIN;
    loop {
        let batch = RawEvent::after(&mut connection, after, BATCH).await?;
        let Some(last) = batch.last().map(|event| event.position) else { break };
        for event in batch.into_iter().filter(|event| event.position <= head) {
            reader.read(event, report);
        }
        after = last;
        progress("reading the log", u64::try_from(last.clamp(0, head))?, u64::try_from(head)?);
        if last >= head {
            break;
        }
    }
    if reader.part.index < reader.part.of && report.log_is_intact() {
        report.found(Some(head), "the log ends in the middle of an append".into());
    }
    if !report.log_is_intact() {
        report.not_checked("global invariants not checked from the first bad position on");
    }
    Ok(reader.ledger)
}

struct Reader {
    upcasters: Vec<Box<dyn EventUpcaster>>,
    /// The position that must come next.
    next: i64,
    moment: DateTime<Utc>,
    /// Of the last event.
    part: Part,
    ledger: Ledger,
}

impl Reader {
    fn new() -> Self {
        Self {
            upcasters: upcasters(),
            next: 1,
            moment: DateTime::<Utc>::MIN_UTC,
            part: Part { index: 1, of: 1 },
            ledger: Ledger::default(),
        }
    }

    fn read(&mut self, raw: RawEvent, report: &mut Report) {
        let position = raw.position;
        if position != self.next {
            let gap = format!("missing: the log goes on with position {position}");
            report.found(Some(self.next.min(position)), gap);
        }
        self.next = position + 1;
        if raw.recorded_at < self.moment {
            report.found(Some(position), "recorded before its predecessor".into());
        }
        self.moment = self.moment.max(raw.recorded_at);
        if raw.hash().as_slice() != raw.leaf_hash {
            report.found(Some(position), "does not match its leaf hash: it was altered or moved".into());
        }
        let event_type = raw.event_type.clone();
        let entered = match raw.decode_sealed(&self.upcasters) {
            Err(error) => Err(error.to_string()),
            // Behind the first problem invariants mean nothing.
            Ok(_) if !report.log_is_intact() => Ok(()),
            Ok(event) => self.enter(&event),
        };
        if let Err(problem) = entered {
            report.found(Some(position), format!("{event_type}: {problem}"));
        }
    }

    fn enter(&mut self, event: &RecordedEvent) -> Result<(), String> {
        let (last, part) = (self.part, event.part);
        let follows = if last.index < last.of {
            part.of == last.of && part.index == last.index + 1
        } else {
            part.index == 1
        };
        if !follows {
            return Err(format!(
                "part {}/{} of an append comes after part {}/{}",
                part.index, part.of, last.index, last.of
            ));
        }
        self.part = part;
        self.ledger.enter(event)?;
        if part.index == part.of { self.ledger.balance() } else { Ok(()) }
    }
}
