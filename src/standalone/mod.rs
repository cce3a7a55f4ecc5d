//! A complete vault in one process, for people without a database or an object store: a private PostgreSQL and
//! nats-server as direct children and an S3 endpoint in-process. Nothing is written outside the data directory, and nothing
//! outlives the process. The parts are found through DATA/env, in the same words as for `docuvault serve`.

mod data_directory;
mod env_file;
mod log_file;
mod master_key;
mod nats;
mod postgres;
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

use crate::config::{Config, DatabaseUrl, Environment, MailRoute};
use crate::roles::ProcessRoles;
use crate::serve::with_sockets;
use crate::{migrate, private_file};

use data_directory::DataDirectory;
use env_file::Settings;
use nats::Nats;
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
    let environment = environment
        .without(|name| ["DATABASE_", "NATS_", "S3_"].iter().any(|theirs| name.starts_with(theirs)));
    let nats_server = nats::find(&environment)?;
    let data = DataDirectory::open(&options.data)?;
    let mut settings = Settings::load(&data)?;
    let sockets = match StandaloneSockets::bind(&options, &environment, &settings).await {
        Ok(sockets) => sockets,
        Err(refused) => {
            data.abandon();
            return Err(refused);
        }
    };
    sockets.record(&mut settings, &environment)?;
    master_key::provide(&data, &environment, &mut settings)?;

    let Some(prepared) = shutdown.run_until_cancelled(Postgres::prepare(&data)).await else {
        return Ok(());
    };
    let mut postgres = prepared?;
    let mut nats = Nats::prepare(&data, nats_server, &mut settings)?;
    let served = serve(&data, &mut postgres, &mut nats, settings, environment, sockets, shutdown);
    // Much is in it, and little of the time.
    let served = Box::pin(served).await;
    nats.stop().await;
    postgres.stop().await;
    served
}

/// Everything between PostgreSQL's start and its stop.
async fn serve(
    data: &DataDirectory,
    postgres: &mut Postgres<'_>,
    nats: &mut Nats<'_>,
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
        let mut config = Config::from_env(&environment)?;
        if matches!(config.mail.route, MailRoute::Nowhere) {
            config.mail.route = MailRoute::Directory(data.mail());
        }
        Ok::<_, anyhow::Error>(config)
    });
    let Some(config) = prepared.await.transpose()? else { return Ok(()) };
    let store = S3Endpoint::open(object_store(data, &config)?).await?;
    let store_stop = CancellationToken::new();
    // The store outlives the API: requests that are being drained still reach it.
    let vault = async {
        // The lock on the data directory sees to it that nobody else runs on this database.
        let served = with_sockets(config, ProcessRoles::all().alone(), sockets.served, shutdown).await;
        store_stop.cancel();
        served
    };
    tokio::select! {
        (served, stored) = async { tokio::join!(vault, store.serve(sockets.s3, store_stop.clone())) } => {
            served.and(stored)
        }
        never = postgres.keep_alive() => match never {},
        never = nats.keep_alive() => match never {},
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
