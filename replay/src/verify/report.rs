//! What a verification found, checked, and could not check.

use std::io::{self, Write};

use projections::Comparison;
use serde::Serialize;

/// Problems told one by one; further ones are only counted.
const TOLD: usize = 100;

/// The outcome of a verification.
#[derive(Debug, Serialize)]
pub struct Report {
    pub sound: bool,
    /// The log was checked up to this position.
    pub head: i64,
    pub first_bad_position: Option<i64>,
    /// At most 100.
    pub findings: Vec<Finding>,
    /// Problems beyond those.
    pub further_findings: u64,
    pub streams: u64,
    pub projections: Vec<Comparison>,
    pub not_checked: Vec<String>,
}

/// One problem.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Where in the log; `None`: in a read model, or in what guards the log.
    pub position: Option<i64>,
    pub problem: String,
}

impl Report {
    pub(super) const fn new(head: i64) -> Self {
        Self {
            sound: true,
            head,
            first_bad_position: None,
            findings: Vec::new(),
            further_findings: 0,
            streams: 0,
            projections: Vec::new(),
            not_checked: Vec::new(),
        }
    }

    pub(super) fn found(&mut self, position: Option<i64>, problem: String) {
        self.sound = false;
        if position.is_some() && self.first_bad_position.is_none_or(|first| position < Some(first)) {
            self.first_bad_position = position;
        }
        if self.findings.len() < TOLD {
            self.findings.push(Finding { position, problem });
        } else {
            self.further_findings += 1;
        }
    }

    pub(super) fn not_checked(&mut self, what: &str) {
        self.not_checked.push(what.into());
    }

    /// Nothing bad was found at any position.
    pub(super) const fn log_is_intact(&self) -> bool {
        self.first_bad_position.is_none()
    }

    /// For people.
    pub fn write_table(&self, out: &mut impl Write) -> io::Result<()> {
        let verdict = match (self.sound, self.first_bad_position) {
            (true, _) => "sound: all that was checked is as it should be".to_owned(),
            (false, Some(position)) => {
                format!("TAMPERED OR INCONSISTENT: the first bad position is {position}")
            }
            (false, None) => {
                "NOT SOUND: no event is bad, but what guards the log or was derived from it is".to_owned()
            }
        };
        writeln!(out, "{verdict}")?;
        for Finding { position, problem } in &self.findings {
            match position {
                Some(position) => writeln!(out, "  position {position}: {problem}")?,
                None => writeln!(out, "  {problem}")?,
            }
        }
        if self.further_findings > 0 {
            writeln!(out, "  and {} more", self.further_findings)?;
        }
        writeln!(out, "\nchecked:\n  the log, positions 1 to {} in {} streams", self.head, self.streams)?;
        for Comparison { name, position, rows, equal, .. } in &self.projections {
            let verdict = if *equal { "equal to a fresh fold" } else { "NOT equal to a fresh fold" };
            writeln!(out, "  {name}, {rows} rows at position {position}: {verdict}")?;
        }
        writeln!(out, "\nnot checked:")?;
        self.not_checked.iter().try_for_each(|what| writeln!(out, "  {what}"))
    }

    /// For machines: one JSON object.
    pub fn write_json(&self, out: &mut impl Write) -> io::Result<()> {
        writeln!(out, "{}", serde_json::to_string_pretty(self)?)
    }
}
