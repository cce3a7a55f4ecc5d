//! The command line of `docuvault-replay`, and nothing else.

use std::io::{self, ErrorKind, Write, stderr, stdout};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, anyhow};
use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use clap::{Args, Parser, Subcommand, ValueEnum};
use replay::history::{About, Format, Selection, history};
use replay::progress::Display;
use replay::verify::verify;
use replay::{Settings, Source};
use uuid::Uuid;

const AFTER_HELP: &str = "\
Start here, with a standalone vault in ./data:
  docuvault-replay verify --env-file data/env                        is the log sound?
  docuvault-replay history --document ID --env-file data/env         who did what with a document?
  docuvault-replay history --user ID --from 2026-01-01 --format csv  a year, as a table

Everything here only reads, and can run beside a live server.

Environment (or lines of --env-file, which win):
  DATABASE_URL               the PostgreSQL database of the vault
  DOCUVAULT_MASTER_KEY_FILE  opens personal data; without it such values read `[sealed]`,
                             and `verify` does not compare the projections

Exit codes: 0 sound, 1 tampered or inconsistent, 2 could not run.";

/// Reads the log of a DocuVault again: checks it, and tells its history.
#[derive(Parser)]
#[command(version, after_help = AFTER_HELP)]
struct Cli {
    /// File of NAME=value lines that win over the environment, such as DATA/env of a standalone vault
    #[arg(long, global = true, value_name = "FILE")]
    env_file: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Check the whole log and what is derived from it; names the first bad position
    ///
    /// Looks whether the log is still guarded (its triggers, owner and rights). Reads every event again: positions without a gap, hashes, order of time, decodability, whole appends; after
    /// each append the sizes of each person's documents must add up to the quota's figures; every stream is folded;
    /// every projection is compared with a fresh fold. Says what it could not check.
    Verify {
        #[arg(long, value_enum, default_value_t)]
        format: ReportFormat,
    },
    /// Tell who did what, and when
    History {
        #[command(flatten)]
        about: AboutArgs,
        /// From this time on: 2026-01-31 (UTC) or RFC 3339
        #[arg(long, value_name = "TIME", value_parser = parse_time)]
        from: Option<DateTime<Utc>>,
        /// Before this time: 2026-01-31 (UTC) or RFC 3339
        #[arg(long, value_name = "TIME", value_parser = parse_time)]
        to: Option<DateTime<Utc>>,
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
}

#[derive(Clone, Copy, Default, ValueEnum)]
enum ReportFormat {
    /// For people
    #[default]
    Table,
    /// One JSON object
    Json,
}

#[derive(Args)]
#[group(required = true, multiple = false)]
struct AboutArgs {
    /// A document: its changes and downloads, also after it was purged
    #[arg(long, value_name = "ID")]
    document: Option<Uuid>,
    /// A person: their account, their vault and what they did
    #[arg(long, value_name = "ID")]
    user: Option<Uuid>,
    /// A stream, by the id of its aggregate
    #[arg(long, value_name = "ID")]
    stream: Option<String>,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Cli::parse()).await {
        Ok(code) => code,
        // `| head` has seen enough.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            // A closed stderr leaves the exit code to speak.
            drop(writeln!(stderr(), "docuvault-replay could not run: {error:#}"));
            ExitCode::from(2)
        }
    }
}

async fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let source = Source::open(&Settings::read(cli.env_file.as_deref())?).await?;
    match cli.command {
        Command::Verify { format } => {
            let mut display = Display::default();
            let report = verify(&source, &mut |doing, done, of| display.show(doing, done, of)).await;
            display.finish();
            let report = report?;
            let written = match format {
                ReportFormat::Table => report.write_table(&mut stdout().lock()),
                ReportFormat::Json => report.write_json(&mut stdout().lock()),
            };
            // The verdict stands, whether or not somebody reads all of the report.
            match written.map_err(anyhow::Error::from) {
                Err(error) if !is_broken_pipe(&error) => Err(error),
                _ => Ok(ExitCode::from(u8::from(!report.sound))),
            }
        }
        Command::History { about, from, to, format } => {
            let selection = Selection { about: about.chosen()?, from, to };
            let count = history(&source, &selection, format, &mut stdout().lock()).await?;
            if count == 0 {
                writeln!(stderr(), "the log has nothing about this")?;
            }
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
}

impl AboutArgs {
    fn chosen(self) -> anyhow::Result<About> {
        let document = self.document.map(About::Document);
        let chosen = document.or(self.user.map(About::User)).or(self.stream.map(About::Stream));
        chosen.context("one of --document, --user and --stream is needed")
    }
}

fn parse_time(text: &str) -> anyhow::Result<DateTime<Utc>> {
    if let Ok(date) = text.parse::<NaiveDate>() {
        return Ok(date.and_time(NaiveTime::MIN).and_utc());
    }
    let time = DateTime::parse_from_rfc3339(text);
    time.map(|time| time.to_utc()).map_err(|_| anyhow!("use a date such as 2026-01-31, or RFC 3339"))
}
