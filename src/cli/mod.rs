//! The command line of `docuvault`. Each subcommand that is more than a call is a file here; [`run`] reads the arguments and
//! the environment.

mod dead_letters;
mod doctor;
mod output;
mod projections;
mod users;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Parser, Subcommand, ValueEnum};
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::auth::setup;
use crate::config::{Config, DatabaseUrl, Environment, log_filter};
use crate::roles::ProcessRole;
use crate::{inspection, migrate, serve, standalone, telemetry};

const AFTER_HELP: &str = "\
Start here:
  docuvault standalone                       a complete vault, kept in ./data
  docuvault users create bo@example.org --env-file data/env
                                             a second account on a running standalone vault

Exit codes: 0 fine, 1 something was found, 2 could not run.";

/// A self-hosted, privacy-first document vault.
#[derive(Parser)]
#[command(version, after_help = AFTER_HELP)]
struct Arguments {
    #[command(subcommand)]
    program: Program,
    /// Read NAME=value lines from FILE; they win over the environment. A standalone vault writes DATA/env
    #[arg(long, global = true, value_name = "FILE")]
    env_file: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Program {
    /// Read one hostile file from standard input: started by the classifier, and no place for a runtime's threads
    #[command(hide = true)]
    InspectWorker(inspection::WorkerArguments),
    #[command(flatten)]
    Vault(Command),
}

#[derive(Subcommand)]
enum Command {
    /// Run everything in one: a private PostgreSQL and nats-server, an S3 endpoint and the vault
    ///
    /// Needs the binaries of PostgreSQL (15 or newer) and nats-server (2.12 or newer) on this machine. All that it writes is in
    /// the data directory. Prints "docuvault ready at URL" when it answers. Ctrl-C or SIGTERM stops it.
    /// Ignores DATABASE_*, NATS_URL and S3_* of the environment and honours the rest.
    Standalone {
        /// The data directory, made when absent
        #[arg(long, default_value = "./data", value_name = "DIR")]
        data: PathBuf,
        /// Where to serve HTTP (default: DOCUVAULT_LISTEN, or 127.0.0.1:8080; port 0 takes a free one)
        #[arg(long, value_name = "IP:PORT")]
        listen: Option<SocketAddr>,
        /// Where to serve S3 (default: the address kept in DATA/env, at first a free port of 127.0.0.1)
        #[arg(long, value_name = "IP:PORT")]
        s3_listen: Option<SocketAddr>,
    },
    /// Run the vault, or some roles of it, against an existing PostgreSQL, NATS and S3 store
    ///
    /// They are named by DATABASE_URL, NATS_URL and S3_*. Any number of processes may have the same role. A process
    /// without the role api answers no requests; each serves /metrics, /healthz and /readyz at DOCUVAULT_METRICS_LISTEN.
    Serve {
        /// What this process does
        #[arg(long, value_delimiter = ',', value_name = "ROLE,…", default_values_t = ProcessRole::value_variants().to_vec())]
        roles: Vec<ProcessRole>,
    },
    /// Bring the schema of DATABASE_MIGRATE_URL up to this release
    Migrate,
    /// Print a new setup link while nobody administers the vault; the one before dies
    SetupLink,
    /// Accounts
    #[command(subcommand)]
    Users(users::Command),
    /// Events that a consumer could not handle
    #[command(subcommand)]
    DeadLetters(dead_letters::Command),
    /// Check what the vault stands on: the log, its rights, NATS, the object store, subscriptions, dead letters
    ///
    /// Exit code 1: something is not as it should be; what to do is said beside it.
    Doctor {
        /// Once after a restore from a backup: record what is lost, begin a new lineage of the log, purge NATS
        ///
        /// Needs DATABASE_MIGRATE_URL. Running it again changes nothing.
        #[arg(long)]
        after_restore: bool,
    },
    /// Read models: how they stand, building them anew
    #[command(subcommand)]
    Projections(projections::Command),
}

/// The root future stays on the main thread, which starts PostgreSQL: the kernel ends a child with the *thread*
/// that started it (`PR_SET_PDEATHSIG`), and this one lives as long as the process.
pub fn run() -> anyhow::Result<ExitCode> {
    let Arguments { program, env_file } = Arguments::parse();
    match program {
        Program::InspectWorker(arguments) => Ok(inspection::run_worker(arguments)),
        Program::Vault(command) => Runtime::new()?.block_on(carry_out(command, env_file)),
    }
}

async fn carry_out(command: Command, env_file: Option<PathBuf>) -> anyhow::Result<ExitCode> {
    let mut environment = Environment::of_process();
    if let Some(path) = env_file {
        environment = environment.overlaid_with(&Environment::read_file(&path)?);
    }
    telemetry::install_log(log_filter(&environment)?);
    match command {
        Command::Standalone { data, listen, s3_listen } => {
            let options = standalone::Options { data, listen, s3_listen };
            standalone::run(options, environment, stop_signal()?).await?;
        }
        Command::Serve { roles } => {
            serve::run(Config::from_env(&environment)?, roles.into_iter().collect(), stop_signal()?).await?;
        }
        Command::Migrate => migrate::run(&DatabaseUrl::migrations(&environment)?).await?,
        Command::SetupLink => {
            let link = setup::new_link(&*app(&environment).await?).await?;
            output::line(
                link.as_deref().unwrap_or("the vault has an administrator: no setup link is needed"),
            )?;
        }
        Command::Users(command) => users::run(command, &*app(&environment).await?).await?,
        Command::DeadLetters(command) => dead_letters::run(command, &*app(&environment).await?).await?,
        Command::Projections(command) => return projections::run(command, &*app(&environment).await?).await,
        Command::Doctor { after_restore: true } => doctor::after_restore(&environment).await?,
        Command::Doctor { after_restore: false } => return doctor::check(&*app(&environment).await?).await,
    }
    Ok(ExitCode::SUCCESS)
}

async fn app(environment: &Environment) -> anyhow::Result<Arc<App>> {
    App::build(Config::from_env(environment)?, CancellationToken::new()).await
}

/// Cancelled by SIGTERM and by Ctrl-C.
fn stop_signal() -> io::Result<CancellationToken> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let shutdown = CancellationToken::new();
    let token = shutdown.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping");
        token.cancel();
    });
    Ok(shutdown)
}
