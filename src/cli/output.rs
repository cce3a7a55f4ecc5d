//! What commands write to stdout.

use std::io::{self, Write};

use clap::ValueEnum;
use serde::Serialize;

/// How an answer is written to stdout.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Format {
    /// For people
    #[default]
    Table,
    /// For machines: one JSON value
    Json,
    /// For machines: one JSON value a line
    Ndjson,
}

/// Writes one JSON value.
pub(in crate::cli) fn value(format: Format, value: &impl Serialize) -> anyhow::Result<()> {
    let text = match format {
        Format::Ndjson => serde_json::to_string(value)?,
        Format::Json | Format::Table => serde_json::to_string_pretty(value)?,
    };
    Ok(line(&text)?)
}

/// Writes a list: one JSON array, or a line for each.
pub(in crate::cli) fn values(format: Format, values: &[impl Serialize]) -> anyhow::Result<()> {
    match format {
        Format::Ndjson => values.iter().try_for_each(|one| value(format, one)),
        Format::Json | Format::Table => value(format, &values),
    }
}

/// Writes a line for people.
pub(in crate::cli) fn line(text: &str) -> io::Result<()> {
    writeln!(io::stdout(), "{text}")
}
