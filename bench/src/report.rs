//! Medians over the rounds, and each peer's ratio to raw within the same round.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::drive::{Latency, Measured};

/// Results by cell and peer, in the order of the rounds.
#[derive(Default)]
pub(crate) struct Report {
    order: Vec<(String, String)>,
    rows: BTreeMap<(String, String), Vec<Measured>>,
    notes: Vec<String>,
}

impl Report {
    pub(crate) fn add(&mut self, cell: &str, peer: &str, measured: Measured) {
        progress(&format!("  {cell:24} {peer:12} {:>9.0}/s", measured.rate));
        let key = (cell.to_owned(), peer.to_owned());
        if !self.rows.contains_key(&key) {
            self.order.push(key.clone());
        }
        self.rows.entry(key).or_default().push(measured);
    }

    /// A figure that is not a rate.
    pub(crate) fn note(&mut self, note: String) {
        progress(&note);
        self.notes.push(note);
    }

    #[expect(clippy::print_stdout, reason = "the result of a command-line program")]
    pub(crate) fn print(&self) {
        println!("| cell | peer | per second | p50 ms | p95 ms | p99 ms | ratio to raw (median of rounds) |");
        println!("|---|---|---|---|---|---|---|");
        for key in &self.order {
            let rows = &self.rows[key];
            let rate = median(rows.iter().map(|row| row.rate));
            let latency = |of: fn(Latency) -> Duration| {
                let times: Vec<f64> =
                    rows.iter().filter_map(|row| Some(of(row.latency?).as_secs_f64() * 1e3)).collect();
                if times.is_empty() { String::new() } else { format!("{:.2}", median(times.into_iter())) }
            };
            let (p50, p95, p99) = (latency(|one| one.p50), latency(|one| one.p95), latency(|one| one.p99));
            let ratio = match self.rows.get(&(key.0.clone(), "raw".to_owned())) {
                Some(raw) => {
                    format!("{:.2}", median(rows.iter().zip(raw).map(|(row, raw)| row.rate / raw.rate)))
                }
                None => String::new(),
            };
            println!("| {} | {} | {rate:.0} | {p50} | {p95} | {p99} | {ratio} |", key.0, key.1);
        }
        for note in &self.notes {
            println!("\n{note}");
        }
    }
}

/// Tells whoever waits at the terminal how far the run is.
#[expect(clippy::print_stderr, reason = "progress of a command-line program")]
pub(crate) fn progress(what: &str) {
    eprintln!("{what}");
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
