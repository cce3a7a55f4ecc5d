//! Benchmarks: our log beside raw PostgreSQL and stock postgres-es, what reads it beside the least that could be done with
//! the same events, and the HTTP API of real processes.
//!
//! Every figure of one cell and round comes from fresh databases on the same server, minutes apart at most; compare
//! ratios, not runs. Client and server share the machine.

mod accounts;
mod backlog;
mod catch_up;
mod drive;
mod during_rebuild;
mod fixture;
mod lag;
mod library;
mod lists;
mod long_stream;
mod memory;
mod node;
mod ours;
mod pdf;
mod raw;
mod rebuild;
mod relay;
mod report;
mod search;
mod seed;
mod stack;
mod stock;
mod timing;
mod uploads;
mod vault;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use clap::Parser;
use projections::document_listing::DocumentListing;

use crate::backlog::Backlog;
use crate::fixture::Server;
use crate::library::Library;
use crate::report::{Report, progress};

/// As in the product, whose log is measured in this process.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Beside each other on one PostgreSQL: raw INSERTs (pgbench), stock postgres-es, DocuVault. Then what reads the log, and
/// the API.
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
    /// The docuvault binary; default: beside this one.
    #[arg(long)]
    docuvault: Option<PathBuf>,
    /// Seconds of each measurement, after one second of warm-up.
    #[arg(long, default_value_t = 5)]
    secs: u64,
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// Documents of the person whose lists and searches are measured.
    #[arg(long, default_value_t = 100_000)]
    documents: u32,
    /// Events that wait for the relay, the read models and the processes of each role.
    #[arg(long, default_value_t = 200_000)]
    backlog: i64,
    /// Events that a read model is built anew from.
    #[arg(long, default_value_t = 1_000_000)]
    rebuild: i64,
    /// Answers of each route timed with an account, and as many without.
    #[arg(long, default_value_t = 1_000)]
    samples: usize,
    /// Only cells whose name contains this: `append`, `load`, `hot`, `relay`, `catch-up`, `memory`, `rebuild`, `upload`, `accounts`, `api list`,
    /// `search`, `lag`, `during a rebuild`, `pdf`, `timing`.
    #[arg(long, default_value = "")]
    only: String,
}

impl Options {
    fn wants(&self, cell: &str) -> bool {
        cell.contains(&self.only)
    }

    fn secs(&self) -> Duration {
        Duration::from_secs(self.secs)
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let docuvault = match &options.docuvault {
        Some(path) => path.clone(),
        None => std::env::current_exe()?.parent().context("no directory")?.join("docuvault"),
    };
    let pg_bindir = options.pg_bindir.clone();
    let server = Server::new(&options.database_url, &options.app_password, pg_bindir, docuvault)?;
    let mut report = Report::default();
    for round in 1..=options.rounds {
        progress(&format!("round {round} of {}", options.rounds));
        appends(&options, &server, &mut report).await?;
    }
    readers(&options, &server, &mut report).await?;
    requests(&options, &server, &mut report).await?;
    if options.wants("pdf") {
        pdf::run(&server.docuvault, &mut report).await?;
    }
    if options.wants("timing") {
        timing::run(&server.docuvault, options.samples, &mut report).await?;
    }
    report.print();
    Ok(())
}

/// The log alone.
async fn appends(options: &Options, server: &Server, report: &mut Report) -> anyhow::Result<()> {
    let secs = options.secs();
    for concurrency in [1, 8, 32, 256] {
        let cell = format!("append {concurrency}");
        if options.wants(&cell) {
            report.add(&cell, "raw", raw::append(server, concurrency, secs).await?);
            report.add(&cell, "postgres-es", stock::append(server, concurrency, secs).await?);
            report.add(&cell, "docuvault", ours::append(server, concurrency, secs).await?);
        }
    }
    let cell = "append beside idle 32";
    if options.wants(cell) {
        report.add(cell, "raw", raw::append(server, 32, secs).await?);
        report.add(cell, "docuvault", ours::append_beside_idle(server, 32, secs).await?);
    }
    for concurrency in [8, 32] {
        let cell = format!("load-decide-append {concurrency}");
        if options.wants(&cell) {
            report.add(&cell, "raw", raw::load_append(server, concurrency, secs).await?);
            report.add(&cell, "postgres-es", stock::load_append(server, concurrency, secs).await?);
            report.add(&cell, "docuvault", ours::load_append(server, concurrency, secs).await?);
        }
    }
    let cell = "hot stream 16";
    if options.wants(cell) {
        report.add(cell, "raw", raw::hot(server, 16, secs).await?);
        report.add(cell, "postgres-es", stock::hot(server, 16, secs).await?);
        report.add(cell, "docuvault", ours::hot(server, 16, secs).await?);
    }
    let cell = "load long stream";
    if options.wants(cell) {
        let measured = long_stream::load(server, secs, report).await?;
        report.add(cell, "docuvault", measured);
    }
    Ok(())
}

/// What reads a long log. It is made once, and grows.
async fn readers(options: &Options, server: &Server, report: &mut Report) -> anyhow::Result<()> {
    let cells = ["relay", "catch-up all", "catch-up document_listing", "memory", "rebuild document_listing"];
    if !cells.iter().any(|cell| options.wants(cell)) {
        return Ok(());
    }
    let [relay, all, one, memory, rebuild] = cells;
    let backlog = Backlog::open(server).await?;
    if [relay, all, one, memory].iter().any(|cell| options.wants(cell)) {
        backlog.grow(options.backlog).await?;
    }
    for _ in 0..options.rounds {
        if options.wants(relay) {
            let measured = relay::run(server, &backlog, report).await?;
            report.add(relay, "docuvault", measured);
        }
        if options.wants(all) {
            let measured = catch_up::all(server, &backlog, report).await?;
            report.add(all, "docuvault", measured);
        }
        if options.wants(one) {
            let measured = catch_up::one(server, &backlog, Arc::new(DocumentListing)).await?;
            report.add(one, "docuvault", measured);
        }
    }
    if options.wants(memory) {
        memory::run(server, &backlog, report).await?;
    }
    if options.wants(rebuild) {
        backlog.grow(options.rebuild).await?;
        let events = backlog.ours.store.head().await?;
        report.note(format!("rebuild: of {events} events"));
        for _ in 0..options.rounds {
            report.add(rebuild, "raw", rebuild::copy(server, events).await?);
            report.add(rebuild, "SQL", rebuild::aggregate(server, events).await?);
            report.add(rebuild, "docuvault", rebuild::online(server, &backlog, events).await?);
        }
    }
    Ok(())
}

/// Over HTTP, and how soon an event is seen there.
async fn requests(options: &Options, server: &Server, report: &mut Report) -> anyhow::Result<()> {
    let secs = options.secs();
    let cell = "upload";
    if options.wants(cell) {
        let measured = uploads::run(&server.docuvault, secs, report).await?;
        report.add("upload: request, PUT, confirm", "docuvault", measured);
    }
    if options.wants("accounts") {
        accounts::run(&server.docuvault, secs, report).await?;
    }
    let cells = ["api list", "search", "lag from commit to sight", "api during a rebuild"];
    if !cells.iter().any(|cell| options.wants(cell)) {
        return Ok(());
    }
    let [list, search, lag, during] = cells;
    let library = Library::open(server, options.documents).await?;
    if options.wants(list) {
        lists::run(&library.vault, options.documents, secs, report).await?;
    }
    if options.wants(search) {
        search::run(&library.vault, secs, report).await?;
    }
    if options.wants(lag) {
        report.add(lag, "docuvault", lag::run(&library, secs * 2).await?);
    }
    if options.wants(during) {
        during_rebuild::run(&library, secs * 2, report).await?;
    }
    Ok(())
}
