//! A complete vault in one process, for people without a database or an object store: a private PostgreSQL as
//! a direct child and an S3 endpoint in-process. Nothing is written outside the data directory, and nothing
//! outlives the process. The parts are found through DATA/env, in the same words as for `docuvault serve`.

mod data_directory;
mod env_file;
mod master_key;
mod postgres;
mod private_file;
pub mod s3;
mod sockets;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::path::PathBuf;

use tokio_util::sync::CancellationToken;

use crate::config::{Config, DatabaseUrl, Environment};
use crate::migrate;
use crate::serve::with_sockets;

use data_directory::DataDirectory;
use env_file::Settings;
use postgres::Postgres;
use sockets::StandaloneSockets;

/// The command line of `docuvault standalone`.
pub struct Options {
    /// The data directory, made when absent.
    pub data: PathBuf,
    /// Overrules `DOCUVAULT_LISTEN`.
    pub listen: Option<SocketAddr>,
    /// Overrules the address kept in DATA/env.
    pub s3_listen: Option<SocketAddr>,
}

/// Runs until `shutdown`. Call it on the main thread: PostgreSQL ends with the thread that started it.
pub async fn run(
    options: Options,
    environment: Environment,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let environment = environment.without(|name| name.starts_with("DATABASE_") || name.starts_with("S3_"));
    let data = DataDirectory::open(&options.data)?;
    let mut settings = Settings::load(&data)?;
    let sockets = StandaloneSockets::bind(&options, &environment, &settings).await?;
    sockets.record(&mut settings, &environment)?;
    master_key::provide(&data, &environment, &mut settings)?;

    let Some(prepared) = shutdown.run_until_cancelled(Postgres::prepare(&data)).await else {
        return Ok(());
    };
    let mut postgres = prepared?;
    let served = serve(&data, &mut postgres, settings, environment, sockets, shutdown).await;
    postgres.stop().await;
    served
}

/// Everything between PostgreSQL's start and its stop.
async fn serve(
    data: &DataDirectory,
    postgres: &mut Postgres<'_>,
    mut settings: Settings,
    environment: Environment,
    sockets: StandaloneSockets,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let prepared = shutdown.run_until_cancelled(async {
        postgres.start(&mut settings).await?;
        postgres.provide_database(&settings).await?;
        settings.save(data)?;
        let environment = environment.overlaid_with(settings.environment());
        migrate::run(&DatabaseUrl::migrations(&environment)?).await?;
        Ok::<_, anyhow::Error>(Config::from_env(&environment)?)
    });
    let Some(config) = prepared.await.transpose()? else { return Ok(()) };
    tokio::select! {
        served = with_sockets(config, sockets.worker, shutdown) => served,
        never = postgres.keep_alive() => match never {},
    }
}
