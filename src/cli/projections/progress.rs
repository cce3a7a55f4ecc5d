//! How far a rebuild is, on stderr: a bar on a terminal, a plain line for each tenth elsewhere.

use std::convert::Infallible;
use std::io::{IsTerminal, Write, stderr};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use projections::{Progress, Status};
use sqlx::PgPool;

const EVERY: Duration = Duration::from_millis(250);

/// Shows the progress of the rebuild of `name`, for ever.
pub(super) async fn show(pool: &PgPool, name: &str) -> anyhow::Result<Infallible> {
    let mut display = Display { bar: None, tenths: 0 };
    loop {
        if let Some(progress) = Status::of(pool, name).await?.and_then(|status| status.progress) {
            display.show(name, &progress);
        }
        tokio::time::sleep(EVERY).await;
    }
}

/// Such as `40 % (position 400000 of 1000000), 101234 events/s, 6 s left`.
pub(super) fn describe(progress: &Progress) -> String {
    let Progress { position, head, events_per_second, seconds_left, driven, .. } = progress;
    let percent = tenths(progress) * 10;
    let left = seconds_left.map_or_else(String::new, |seconds| format!(", {seconds:.0} s left"));
    let paused = if *driven { "" } else { ", nobody drives it at the moment" };
    format!("{percent} % (position {position} of {head}), {events_per_second:.0} events/s{left}{paused}")
}

fn tenths(progress: &Progress) -> i64 {
    (progress.position * 10).checked_div(progress.head).unwrap_or(10)
}

struct Display {
    bar: Option<ProgressBar>,
    tenths: i64,
}

impl Display {
    fn show(&mut self, name: &str, progress: &Progress) {
        if stderr().is_terminal() {
            let bar = self.bar.get_or_insert_with(|| bar(name));
            bar.set_length(progress.head.unsigned_abs());
            bar.set_position(progress.position.unsigned_abs());
            let left = progress.seconds_left.map_or_else(String::new, |left| format!(", {left:.0} s left"));
            bar.set_prefix(format!("{:.0} events/s{left}", progress.events_per_second));
        } else if tenths(progress) > self.tenths {
            self.tenths = tenths(progress);
            // A closed stderr is no reason to stop.
            drop(writeln!(stderr(), "{name}: {}", describe(progress)));
        }
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

fn bar(name: &str) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg:>20} [{wide_bar}] {pos}/{len} {prefix}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(0).with_style(style).with_message(name.to_owned())
}
