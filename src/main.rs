//! The command line of `docuvault`: reads the arguments and the environment, and calls the library.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use aggregates::Role;
use clap::{Parser, Subcommand, ValueEnum};
use docuvault::app::App;
use docuvault::auth::create_user::create_user;
use docuvault::auth::setup;
use docuvault::config::{Config, DatabaseUrl, Environment, log_filter};
use docuvault::roles::ProcessRole;
use docuvault::{migrate, serve, standalone, telemetry};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

const AFTER_HELP: &str = "\
Start here:
  docuvault standalone                       a complete vault, kept in ./data
  docuvault users create bo@example.org --env-file data/env
                                             a second account on a running standalone vault

Exit codes: 0 fine, 2 could not run.";

/// A self-hosted, privacy-first document vault.
#[derive(Parser)]
#[command(version, after_help = AFTER_HELP)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// Read NAME=value lines from FILE; they win over the environment. A standalone vault writes DATA/env
    #[arg(long, global = true, value_name = "FILE")]
    env_file: Option<PathBuf>,
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
    Users(Users),
}

#[derive(Subcommand)]
enum Users {
    /// Make an account and print its temporary password, once
    ///
    /// The password is good for 24 hours and must be changed before anything else works.
    Create {
        email: String,
        /// user, admin, or auditor (sees the audit trail, no documents)
        #[arg(long, default_value = "user")]
        role: Role,
    },
}

/// The root future stays on the main thread, which starts PostgreSQL: the kernel ends a child with the *thread*
/// that started it (`PR_SET_PDEATHSIG`), and this one lives as long as the process.
#[tokio::main]
async fn main() -> ExitCode {
    let Arguments { command, env_file } = Arguments::parse();
    match run(command, env_file).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing is left to do when stderr is gone.
            let _ = writeln!(io::stderr(), "error: {error:#}");
            ExitCode::from(2)
        }
    }
}

async fn run(command: Command, env_file: Option<PathBuf>) -> anyhow::Result<()> {
    let mut environment = Environment::of_process();
    if let Some(path) = env_file {
        environment = environment.overlaid_with(&Environment::read_file(&path)?);
    }
    telemetry::install_log(log_filter(&environment)?);
    match command {
        Command::Standalone { data, listen, s3_listen } => {
            let options = standalone::Options { data, listen, s3_listen };
            standalone::run(options, environment, stop_signal()?).await
        }
        Command::Serve { roles } => {
            serve::run(Config::from_env(&environment)?, roles.into_iter().collect(), stop_signal()?).await
        }
        Command::Migrate => migrate::run(&DatabaseUrl::migrations(&environment)?).await,
        Command::SetupLink => {
            let app = App::build(Config::from_env(&environment)?, CancellationToken::new()).await?;
            let link = setup::new_link(&app).await?;
            print(link.as_deref().unwrap_or("the vault has an administrator: no setup link is needed"))
        }
        Command::Users(Users::Create { email, role }) => {
            let app = App::build(Config::from_env(&environment)?, CancellationToken::new()).await?;
            let password = create_user(&app, &email, role).await?;
            print(&format!("temporary password, good for 24 hours: {}", password.expose()))
        }
    }
}

fn print(line: &str) -> anyhow::Result<()> {
    Ok(writeln!(io::stdout(), "{line}")?)
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
