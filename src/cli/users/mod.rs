//! `docuvault users`.

mod create;
mod deactivate;
mod list;

use aggregates::Role;
use clap::Subcommand;

use super::output::Format;
use crate::app::App;

/// The subcommands.
#[derive(Subcommand)]
pub(super) enum Command {
    /// Make an account and print its temporary password, once
    ///
    /// The password is good for 24 hours and must be changed before anything else works.
    Create {
        email: String,
        /// user, admin, or auditor (sees the audit trail, no documents)
        #[arg(long, default_value = "user")]
        role: Role,
    },
    /// List the accounts, the newest first, with what they keep
    List {
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Deactivate an account: whatever it has opened ends, and nobody signs in to it
    ///
    /// Its documents stay. An administrator can reactivate it. The last active administrator stays active.
    Deactivate { email: String },
}

pub(super) async fn run(command: Command, app: &App) -> anyhow::Result<()> {
    match command {
        Command::Create { email, role } => create::create(app, &email, role).await,
        Command::List { format } => list::list(app, format).await,
        Command::Deactivate { email } => deactivate::deactivate(app, &email).await,
    }
}
