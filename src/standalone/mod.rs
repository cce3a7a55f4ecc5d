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
use std::sync::Arc;

use event_store::Clock;
use http::HeaderValue;
use secrecy::ExposeSecret;
use tokio_util::sync::CancellationToken;

use crate::config::{Config, DatabaseUrl, Environment};
use crate::migrate;
use crate::serve::with_sockets;

use data_directory::DataDirectory;
use env_file::Settings;
use postgres::Postgres;
use s3::{S3Endpoint, S3EndpointConfig};
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
        settings.save(data, sockets.served.metrics.local_addr()?)?;
        let environment = environment.overlaid_with(settings.environment());
        migrate::run(&DatabaseUrl::migrations(&environment)?).await?;
        Ok::<_, anyhow::Error>(Config::from_env(&environment)?)
    });
    let Some(config) = prepared.await.transpose()? else { return Ok(()) };
    let store = S3Endpoint::open(object_store(data, &config)?).await?;
    let store_stop = CancellationToken::new();
    // The store outlives the API: requests that are being drained still reach it.
    let vault = async {
        // The lock on the data directory sees to it that nobody else runs on this database.
        let served = with_sockets(config, sockets.served, true, shutdown).await;
        store_stop.cancel();
        served
    };
    tokio::select! {
        (served, stored) = async { tokio::join!(vault, store.serve(sockets.s3, store_stop.clone())) } => {
            served.and(stored)
        }
        never = postgres.keep_alive() => match never {},
    }
}

/// The settings of the object store: its clients find the same ones in DATA/env.
fn object_store(data: &DataDirectory, config: &Config) -> anyhow::Result<S3EndpointConfig> {
    let own_origin = config.http.public_url.origin().ascii_serialization();
    let origins = std::iter::once(&own_origin).chain(&config.http.cors_origins);
    let (root, clock) = (data.objects(), Clock::system());
    private_file::make_directory(&root)?;
    Ok(S3EndpointConfig {
        root,
        bucket: config.s3.bucket.clone(),
        access_key_id: config.s3.access_key_id.expose_secret().to_owned(),
        secret_access_key: config.s3.secret_access_key.clone(),
        cors_origins: origins.map(|origin| HeaderValue::from_str(origin)).collect::<Result<_, _>>()?,
        now: Arc::new(move || clock.now()),
    })
}
