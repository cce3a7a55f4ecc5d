//! The superuser's connection: for the roles, the database and the question whether PostgreSQL is up.

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sqlx::{ConnectOptions, Connection, Executor};
use tokio::time::sleep;

pub(super) const SUPERUSER: &str = "docuvault_super";
/// Beside the cluster, mode 0600: it is made with it and of no use without it.
pub(super) const PASSWORD_FILE: &str = "superuser.password";

const POLL: Duration = Duration::from_millis(20);
/// `cannot_connect_now`: it is starting, recovering or shutting down.
const NOT_YET: &str = "57P03";

/// To the database `postgres`.
pub(super) fn superuser(directory: &Path, port: u16) -> anyhow::Result<PgConnectOptions> {
    let path = directory.join(PASSWORD_FILE);
    let password =
        std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(PgConnectOptions::new_without_pgpass()
        .host("127.0.0.1")
        .port(port)
        .username(SUPERUSER)
        .password(&password)
        .database("postgres")
        .ssl_mode(PgSslMode::Disable)
        .disable_statement_logging())
}

/// Recovery after a crash takes as long as it takes; the caller watches whether the server is still there.
pub(super) async fn until_it_answers(superuser: &PgConnectOptions) -> anyhow::Result<()> {
    loop {
        match ask(superuser).await {
            Ok(()) => return Ok(()),
            Err(sqlx::Error::Database(refusal)) if refusal.code().as_deref() != Some(NOT_YET) => {
                return Err(refusal).context("PostgreSQL refuses its own superuser");
            }
            Err(_) => sleep(POLL).await,
        }
    }
}

async fn ask(superuser: &PgConnectOptions) -> Result<(), sqlx::Error> {
    let mut connection = PgConnection::connect_with(superuser).await?;
    connection.execute("SELECT 1").await?;
    connection.close().await
}
