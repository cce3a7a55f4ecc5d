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
}

/// Writes one JSON value.
pub(in crate::cli) fn json(value: &impl Serialize) -> anyhow::Result<()> {
    Ok(writeln!(io::stdout(), "{}", serde_json::to_string_pretty(value)?)?)
}

/// Writes a line for people.
pub(in crate::cli) fn line(text: &str) -> io::Result<()> {
    writeln!(io::stdout(), "{text}")
}
