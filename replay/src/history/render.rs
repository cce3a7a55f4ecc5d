//! A history as a table for people, as NDJSON or as CSV (RFC 4180).

use std::io::{self, Write};

use chrono::SecondsFormat;
use serde_json::{Map, Value};

use super::Entry;

/// How a history is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Table,
    /// One JSON object a line.
    Ndjson,
    /// With a header line.
    Csv,
}

pub(super) struct Writer<'a, W> {
    format: Format,
    out: &'a mut W,
}

impl<'a, W: Write> Writer<'a, W> {
    pub(super) fn begin(format: Format, out: &'a mut W) -> io::Result<Self> {
        match format {
            Format::Table => {
                writeln!(out, "{:>9}  {:<23}  {:<28}  {:<20}  DETAILS", "POSITION", "AT", "WHO", "WHAT")?;
            }
            Format::Csv => out.write_all(b"position,at,actor,who,what,stream,details\r\n")?,
            Format::Ndjson => {}
        }
        Ok(Self { format, out })
    }

    pub(super) fn write(&mut self, entry: &Entry) -> io::Result<()> {
        match self.format {
            Format::Table => self.table(entry),
            Format::Ndjson => writeln!(self.out, "{}", serde_json::to_string(entry)?),
            Format::Csv => self.csv(entry),
        }
    }

    fn table(&mut self, entry: &Entry) -> io::Result<()> {
        let Entry { position, at, what, .. } = entry;
        let at = at.format("%Y-%m-%d %H:%M:%S UTC");
        let who = printable(entry.who.as_deref().unwrap_or(&entry.actor));
        writeln!(self.out, "{position:>9}  {at:<23}  {who:<28}  {what:<20}  {}", in_words(&entry.details))
    }

    fn csv(&mut self, entry: &Entry) -> io::Result<()> {
        let fields = [
            entry.position.to_string(),
            entry.at.to_rfc3339_opts(SecondsFormat::Micros, true),
            entry.actor.clone(),
            entry.who.clone().unwrap_or_default(),
            entry.what.clone(),
            entry.stream.clone(),
            serde_json::to_string(&entry.details)?,
        ];
        write!(self.out, "{}\r\n", fields.map(|field| quoted(&field)).join(","))
    }
}

/// `name: final, size: 700`
fn in_words(details: &Map<String, Value>) -> String {
    let words = details.iter().map(|(name, value)| match value {
        Value::String(text) => format!("{name}: {}", printable(text)),
        other => format!("{name}: {other}"),
    });
    words.collect::<Vec<_>>().join(", ")
}

/// Without characters that a terminal would obey: some of the text came over the network.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{FFFD}' } else { c }).collect()
}

fn quoted(field: &str) -> String {
    if field.contains(['"', ',', '\r', '\n']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}
