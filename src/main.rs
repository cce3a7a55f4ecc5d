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
use docuvault::consumers::dead_letters as letters;
use docuvault::roles::ProcessRole;
use docuvault::{doctor, inspection, migrate, read_models, serve, standalone, telemetry};
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

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
    Users(Users),
    /// Events that a consumer could not handle
    #[command(subcommand)]
    DeadLetters(DeadLetters),
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
    Projections(read_models::Command),
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

#[derive(Subcommand)]
enum DeadLetters {
    /// Show them, the oldest failure first
    List {
        #[arg(long, default_value = "table")]
        format: Format,
    },
    /// Have the consumer try an event again
    Retry { id: Uuid },
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    Table,
    Json,
}

/// The root future stays on the main thread, which starts PostgreSQL: the kernel ends a child with the *thread*
/// that started it (`PR_SET_PDEATHSIG`), and this one lives as long as the process.
fn main() -> ExitCode {
    let Arguments { program, env_file } = Arguments::parse();
    let command = match program {
        Program::InspectWorker(arguments) => return inspection::run_worker(arguments),
        Program::Vault(command) => command,
    };
    let outcome = Runtime::new()
        .map_err(anyhow::Error::from)
        .and_then(|runtime| runtime.block_on(run(command, env_file)));
    match outcome {
        Ok(code) => code,
        Err(error) => {
            // Nothing is left to do when stderr is gone.
            let _ = writeln!(io::stderr(), "error: {error:#}");
            ExitCode::from(2)
        }
    }
}

async fn run(command: Command, env_file: Option<PathBuf>) -> anyhow::Result<ExitCode> {
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
            let app = App::build(Config::from_env(&environment)?, CancellationToken::new()).await?;
            let link = setup::new_link(&app).await?;
            print(link.as_deref().unwrap_or("the vault has an administrator: no setup link is needed"))?;
        }
        Command::Projections(command) => {
            let app = App::build(Config::from_env(&environment)?, CancellationToken::new()).await?;
            return read_models::run(command, &app).await;
        }
        Command::Users(Users::Create { email, role }) => {
            let app = App::build(Config::from_env(&environment)?, CancellationToken::new()).await?;
            let password = create_user(&app, &email, role).await?;
            print(&format!("temporary password, good for 24 hours: {}", password.expose()))?;
        }
        Command::DeadLetters(command) => {
            let app = App::build(Config::from_env(&environment)?, CancellationToken::new()).await?;
            dead_letters(&app, command).await?;
        }
        Command::Doctor { after_restore: true } => after_restore(&environment).await?,
        Command::Doctor { after_restore: false } => {
            let app = App::build(Config::from_env(&environment)?, CancellationToken::new()).await?;
            let findings = doctor::check(&app).await?;
            findings.iter().try_for_each(|finding| print(&finding.to_string()))?;
            return Ok(ExitCode::from(u8::from(findings.iter().any(|finding| finding.remedy.is_some()))));
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn dead_letters(app: &App, command: DeadLetters) -> anyhow::Result<()> {
    let pool = app.store.pool();
    match command {
        DeadLetters::List { format } => {
            let letters = letters::list(pool, None, i64::MAX).await?;
            match format {
                Format::Json => print(&serde_json::to_string_pretty(&letters)?),
                Format::Table => letters.iter().try_for_each(|letter| print(&letter.to_string())),
            }
        }
        DeadLetters::Retry { id } => match letters::retry(pool, id).await? {
            Some(letter) => print(&format!("{} tries position {} again", letter.consumer, letter.position)),
            None => anyhow::bail!("there is no dead letter {id}\nwhat to do: docuvault dead-letters list"),
        },
    }
}

async fn after_restore(environment: &Environment) -> anyhow::Result<()> {
    let mut config = Config::from_env(environment)?;
    config.database = DatabaseUrl::migrations(environment)?;
    let app = App::build(config, CancellationToken::new()).await?;
    let restored = doctor::after_restore(&app.store, app.config.nats.as_ref()).await?;
    match restored.position {
        Some(position) => {
            print(&format!("position {position} records the restore; lineage {}", restored.lineage))?
        }
        None => print(&format!("the log records the restore already; lineage {}", restored.lineage))?,
    }
    print(if restored.purged {
        "NATS is purged; the relay fills it again"
    } else {
        "NATS is not reached; the relay purges and fills it when it is back"
    })
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
