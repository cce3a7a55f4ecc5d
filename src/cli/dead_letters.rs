//! `docuvault dead-letters`.

use clap::Subcommand;
use uuid::Uuid;

use super::output::{self, Format};
use crate::app::App;
use crate::consumers::dead_letters;
use crate::failure::Failure;

/// The subcommands.
#[derive(Subcommand)]
pub(super) enum Command {
    /// Show them, the oldest failure first
    List {
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Have the consumer try an event again
    Retry { id: Uuid },
}

pub(super) async fn run(command: Command, app: &App) -> anyhow::Result<()> {
    let pool = app.store.pool();
    match command {
        Command::List { format } => {
            let letters = dead_letters::list(pool, None, i64::MAX).await?;
            match format {
                Format::Json | Format::Ndjson => output::values(format, &letters)?,
                Format::Table if letters.is_empty() => output::line("no dead letters")?,
                Format::Table => letters.iter().try_for_each(|letter| output::line(&letter.to_string()))?,
            }
        }
        Command::Retry { id } => {
            let letter = dead_letters::retry(pool, id).await?.ok_or_else(|| {
                Failure::new(format!("there is no dead letter {id}"), "look: docuvault dead-letters list")
            })?;
            output::line(&format!("{} tries position {} again", letter.consumer, letter.position))?;
        }
    }
    Ok(())
}
