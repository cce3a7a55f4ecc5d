//! `docuvault serve`: the roles of this process against an external PostgreSQL and S3 store.

use std::io::Write;
use std::net::SocketAddr;

use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::config::Config;
use crate::failure::Failure;
use crate::telemetry::{install_metrics, serve_metrics};
use crate::worker;

/// What a process listens on, bound before anything else so that a taken port is known at once.
pub(crate) struct Sockets {
    pub(crate) api: TcpListener,
    pub(crate) metrics: TcpListener,
}

/// Runs until `shutdown`.
pub async fn run(config: Config, shutdown: CancellationToken) -> anyhow::Result<()> {
    let sockets = Sockets {
        api: bind(config.http.listen, "DOCUVAULT_LISTEN").await?,
        metrics: bind(config.http.metrics_listen, "DOCUVAULT_METRICS_LISTEN").await?,
    };
    with_sockets(config, sockets, false, shutdown).await
}

/// Runs the roles and serves their figures until `shutdown`; says when they are ready. `alone`: see [`worker::run`].
pub(crate) async fn with_sockets(
    config: Config,
    sockets: Sockets,
    alone: bool,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let metrics = install_metrics()?;
    let public_url = config.http.public_url.clone();
    let (ready, is_ready) = oneshot::channel();
    let announced = async {
        // The sender is gone when the worker ended before it was ready; its own result says why.
        if is_ready.await.is_ok() {
            announce(&public_url);
        }
        Ok(())
    };
    tokio::try_join!(
        serve_metrics(sockets.metrics, metrics, shutdown.clone()),
        worker::run(config, alone, sockets.api, shutdown, ready),
        announced,
    )?;
    Ok(())
}

/// Tells the person at the keyboard, and scripts that wait for it, that requests are answered.
fn announce(public_url: &Url) {
    let origin = public_url.as_str().trim_end_matches('/');
    // Nobody may be reading: no reason to stop.
    let _ = writeln!(std::io::stdout(), "docuvault ready at {origin}");
}

/// Takes the address or says which setting to change.
pub(crate) async fn bind(address: SocketAddr, setting: &str) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|error| match error.kind() {
        std::io::ErrorKind::AddrInUse => Failure::new(
            format!("port {} on {} is taken by another program", address.port(), address.ip()),
            format!("stop it or choose another with {setting}"),
        ),
        _ => Failure::new(
            format!("cannot listen on {address}: {error}"),
            format!("choose another with {setting}"),
        ),
    })
}
