//! Progress of long work on stderr: a bar on a terminal, a plain line for each tenth elsewhere.

use std::io::{IsTerminal, Write, stderr};

use indicatif::{ProgressBar, ProgressStyle};

/// Told how far the work is: what is being done, how much of it is done, and how much there is.
pub type Progress<'a> = &'a mut dyn FnMut(&'static str, u64, u64);

/// Shows progress on stderr.
#[derive(Default)]
pub struct Display {
    doing: &'static str,
    tenths: u64,
    bar: Option<ProgressBar>,
}

impl Display {
    /// A step of the work.
    pub fn show(&mut self, doing: &'static str, done: u64, of: u64) {
        if doing != self.doing {
            self.finish();
            self.doing = doing;
            self.tenths = 0;
            self.bar = stderr().is_terminal().then(|| bar(doing, of));
        }
        let tenths = (done * 10).checked_div(of).unwrap_or(10);
        match &self.bar {
            Some(bar) => bar.set_position(done),
            None if tenths > self.tenths => {
                // A closed stderr is no reason to stop.
                drop(writeln!(stderr(), "{doing}: {} %", tenths * 10));
                self.tenths = tenths;
            }
            None => {}
        }
    }

    /// The work is done.
    pub fn finish(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

fn bar(doing: &'static str, of: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg:>24} [{wide_bar}] {pos}/{len} {per_sec}, {eta} left")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(of).with_style(style).with_message(doing)
}
