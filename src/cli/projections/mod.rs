//! `docuvault projections`: what an operator does about the read models. Each operation is a file here.

mod cancel;
mod list;
mod prepare;
mod progress;
mod rebuild;
mod skip;
mod verify;

use std::process::ExitCode;
use std::sync::Arc;

use clap::Subcommand;
use projections::Projection;

use super::output::Format;
use crate::app::App;
use crate::failure::Failure;

/// The subcommands.
#[derive(Subcommand)]
pub(super) enum Command {
    /// Tell how each projection stands: version, position, lag, state, progress of a rebuild, skipped events
    List {
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Build a projection anew from the log, while the old rows go on serving; returns after the swap
    ///
    /// Killed, it is carried on by the next `rebuild` or by a projector. Ctrl-C cancels it and drops what it had filled.
    Rebuild {
        name: String,
        /// Do not wait: a projector builds it
        #[arg(long)]
        detach: bool,
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Compare a projection with a fresh fold of the log; exit code 1 when they differ
    Verify {
        name: String,
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Have a projection pass over the event that it is stopped at; the reason is kept
    Skip {
        name: String,
        /// Of the event, as `list` shows it
        position: i64,
        #[arg(long)]
        reason: String,
    },
    /// Build what this release folds differently beside the running release, without swapping; its start swaps
    Prepare,
    /// Give a rebuild up and drop what it has filled
    Cancel { name: String },
}

/// Runs one of them.
pub(super) async fn run(command: Command, app: &App) -> anyhow::Result<ExitCode> {
    match command {
        Command::List { format } => list::list(app, format).await?,
        Command::Rebuild { name, detach, format } => {
            rebuild::rebuild(app, &find(&name)?, detach, format).await?;
        }
        Command::Verify { name, format } => return verify::verify(app, &find(&name)?, format).await,
        Command::Skip { name, position, reason } => {
            skip::skip(app, find(&name)?.as_ref(), position, &reason).await?;
        }
        Command::Prepare => prepare::prepare(app).await?,
        Command::Cancel { name } => cancel::cancel(app, find(&name)?.name()).await?,
    }
    Ok(ExitCode::SUCCESS)
}

fn find(name: &str) -> Result<Arc<dyn Projection>, Failure> {
    let all = projections::all();
    let names: Vec<_> = all.iter().map(|projection| projection.name()).collect();
    let remedy = format!("choose one of {}", names.join(", "));
    let found = all.into_iter().find(|projection| projection.name() == name);
    found.ok_or_else(|| Failure::new(format!("there is no projection `{name}`"), remedy))
}
