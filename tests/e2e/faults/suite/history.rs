//! What clients saw: every operation with its outcome, and every answer that should not have been.

use std::fmt::Write;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

/// How an operation ended for its client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Acknowledged.
    Ok,
    /// Refused: it did not happen.
    Fail,
    /// No answer that says.
    Unknown,
}

#[derive(Default)]
struct Record {
    lines: String,
    ok: usize,
    fail: usize,
    unknown: usize,
    violations: Vec<String>,
}

/// Shared by all clients of a run.
#[derive(Clone)]
pub(super) struct History {
    started: Instant,
    record: Arc<Mutex<Record>>,
}

impl History {
    pub(super) fn new() -> Self {
        Self { started: Instant::now(), record: Arc::default() }
    }

    /// An operation has ended.
    pub(super) fn ended(&self, who: &str, what: &str, outcome: Outcome, detail: &str) {
        let mut record = self.record();
        match outcome {
            Outcome::Ok => record.ok += 1,
            Outcome::Fail => record.fail += 1,
            Outcome::Unknown => record.unknown += 1,
        }
        drop(record);
        self.note(&format!("{who}: {what}: {outcome:?} {detail}"));
    }

    /// For whoever reads the history of a failing seed.
    pub(super) fn note(&self, line: &str) {
        let at = self.started.elapsed().as_secs_f64();
        writeln!(self.record().lines, "{at:8.3} {line}").unwrap();
    }

    /// An invariant does not hold.
    pub(super) fn violation(&self, what: impl Into<String>) {
        let what = what.into();
        self.note(&format!("VIOLATION {what}"));
        self.record().violations.push(what);
    }

    /// Notes a violation unless the condition holds.
    pub(super) fn require(&self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.violation(what());
        }
    }

    /// How many operations ended so: ok, fail, unknown.
    pub(super) fn counts(&self) -> [usize; 3] {
        let record = self.record();
        [record.ok, record.fail, record.unknown]
    }

    pub(super) fn violations(&self) -> Vec<String> {
        self.record().violations.clone()
    }

    pub(super) fn text(&self) -> String {
        self.record().lines.clone()
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap()
    }
}
