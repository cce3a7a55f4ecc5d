//! `docuvault users`.

use aggregates::Role;
use clap::Subcommand;

use super::output;
use crate::app::App;
use crate::auth::create_user::create_user;

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
}

pub(super) async fn run(command: Command, app: &App) -> anyhow::Result<()> {
    let Command::Create { email, role } = command;
    let password = create_user(app, &email, role).await?;
    Ok(output::line(&format!("temporary password, good for 24 hours: {}", password.expose()))?)
}
