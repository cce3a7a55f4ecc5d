//! What the process says about itself: log lines on stderr, figures for Prometheus on a socket of their own.

mod escape;
mod metrics;
#[cfg(test)]
mod tests;

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::FmtSpan;

pub use metrics::{install_metrics, serve_metrics};

use escape::EscapedStderr;

/// Installs the log for the whole process: lines for people on a terminal, JSON lines elsewhere.
pub fn install_log(filter: EnvFilter) {
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(false)
        .with_span_events(FmtSpan::NONE)
        .with_writer(EscapedStderr::default);
    if std::io::stderr().is_terminal() {
        log.init();
    } else {
        log.json().flatten_event(true).with_current_span(false).init();
    }
    // The default one would write past the log: unescaped, on several lines, with whatever value was at hand.
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let why = panic.payload_as_str().unwrap_or_default();
        tracing::error!(why, backtrace = %std::backtrace::Backtrace::capture(), "panicked at {place}");
    }));
}
