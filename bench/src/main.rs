//! Benchmarks: our log beside raw PostgreSQL and stock postgres-es, and the HTTP API of a real standalone vault.
//!
//! Every figure of one cell and round comes from fresh databases on the same server, minutes apart at most; compare
//! ratios, not runs. Client and server share the machine.

mod api;
mod drive;
mod fixture;
mod long_stream;
mod ours;
mod raw;
mod report;
mod seed;
mod stock;
mod timing;
mod vault;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::Parser;

use crate::fixture::Server;
use crate::report::{Report, progress};

/// Beside each other on one PostgreSQL: raw INSERTs (pgbench), stock postgres-es, DocuVault. Then the API.
#[derive(Parser)]
struct Options {
    /// A role that may create databases; the application connects as docuvault_app.
    #[arg(long, env = "DATABASE_URL")]
    database_url: String,
    /// Password of docuvault_app.
    #[arg(long, env = "DOCUVAULT_TEST_APP_PASSWORD", default_value = "test")]
    app_password: String,
    /// Directory of pgbench.
    #[arg(long, env = "PG_BINDIR", default_value = "")]
    pg_bindir: PathBuf,
    /// The docuvault binary for the API cells; default: beside this one.
    #[arg(long)]
    docuvault: Option<PathBuf>,
    /// Seconds of each measurement, after one second of warm-up.
    #[arg(long, default_value_t = 5)]
    secs: u64,
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// Documents of the user whose listing is measured.
    #[arg(long, default_value_t = 100_000)]
    documents: u32,
    /// Refused logins timed with an account, and as many without.
    #[arg(long, default_value_t = 1_000)]
    samples: usize,
    /// Only cells whose name contains this, such as `append`, `load`, `hot`, `timing` or `api`.
    #[arg(long, default_value = "")]
    only: String,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let server = Server::new(&options.database_url, &options.app_password, options.pg_bindir)?;
    let secs = Duration::from_secs(options.secs);
    let mut report = Report::default();
    for round in 1..=options.rounds {
        progress(&format!("round {round} of {}", options.rounds));
        for concurrency in [1, 8, 32, 256] {
            let cell = format!("append {concurrency}");
            if cell.contains(&options.only) {
                report.add(&cell, "raw", raw::append(&server, concurrency, secs).await?);
                report.add(&cell, "postgres-es", stock::append(&server, concurrency, secs).await?);
                report.add(&cell, "docuvault", ours::append(&server, concurrency, secs).await?);
            }
        }
        if "append beside idle 32".contains(&options.only) {
            report.add("append beside idle 32", "raw", raw::append(&server, 32, secs).await?);
            report.add(
                "append beside idle 32",
                "docuvault",
                ours::append_beside_idle(&server, 32, secs).await?,
            );
        }
        for concurrency in [8, 32] {
            let cell = format!("load-decide-append {concurrency}");
            if cell.contains(&options.only) {
                report.add(&cell, "raw", raw::load_append(&server, concurrency, secs).await?);
                report.add(&cell, "postgres-es", stock::load_append(&server, concurrency, secs).await?);
                report.add(&cell, "docuvault", ours::load_append(&server, concurrency, secs).await?);
            }
        }
        if "hot stream 16".contains(&options.only) {
            report.add("hot stream 16", "raw", raw::hot(&server, 16, secs).await?);
            report.add("hot stream 16", "postgres-es", stock::hot(&server, 16, secs).await?);
            report.add("hot stream 16", "docuvault", ours::hot(&server, 16, secs).await?);
        }
        if "load long stream".contains(&options.only) {
            let measured = long_stream::load(&server, secs, &mut report).await?;
            report.add("load long stream", "docuvault", measured);
        }
    }
    let binary = match options.docuvault {
        Some(path) => path,
        None => std::env::current_exe()?.parent().context("no directory")?.join("docuvault"),
    };
    if "timing".contains(&options.only) {
        timing::run(&binary, options.samples, &mut report).await?;
    }
    if "api".contains(&options.only) {
        api::run(&binary, options.documents, secs, &mut report).await?;
    }
    report.print();
    Ok(())
}
