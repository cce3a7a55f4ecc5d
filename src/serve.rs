//! `docuvault serve`: the roles of this process against an external PostgreSQL, NATS and S3 store.

use std::io::Write;
use std::net::SocketAddr;

use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::config::{Config, NatsConfig};
use crate::failure::Failure;
use crate::roles::{ProcessRole, ProcessRoles};
use crate::telemetry::install_metrics;
use crate::worker;

/// What a process listens on, bound before anything else so that a taken port is known at once.
pub(crate) struct Sockets {
    /// `None`: this process answers no requests.
    pub(crate) api: Option<TcpListener>,
    pub(crate) metrics: TcpListener,
}

/// Runs until `shutdown`.
pub async fn run(config: Config, roles: ProcessRoles, shutdown: CancellationToken) -> anyhow::Result<()> {
    if roles.need_nats() && config.nats.is_none() {
        return Err(NatsConfig::missing().into());
    }
    let api = if roles.has(ProcessRole::Api) {
        Some(bind(config.http.listen, "DOCUVAULT_LISTEN").await?)
    } else {
        None
    };
    let sockets =
        Sockets { api, metrics: bind(config.http.metrics_listen, "DOCUVAULT_METRICS_LISTEN").await? };
    with_sockets(config, roles, sockets, shutdown).await
}

/// Runs the roles and serves their figures until `shutdown`; says when they are ready.
pub(crate) async fn with_sockets(
    config: Config,
    roles: ProcessRoles,
    sockets: Sockets,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let figures = install_metrics()?;
    let public_url = config.http.public_url.clone();
    let role_names = (!roles.has(ProcessRole::Api)).then(|| roles.to_string());
    let (ready, is_ready) = oneshot::channel();
    let announced = async {
        // The sender is gone when the worker ended before it was ready; its own result says why.
        if is_ready.await.is_ok() {
            announce(&public_url, role_names.as_deref());
        }
        Ok(())
    };
    tokio::try_join!(worker::run(config, roles, sockets, figures, shutdown, ready), announced)?;
    Ok(())
}

/// Tells the person at the keyboard, and scripts that wait for it, that requests are answered, or that these roles run.
fn announce(public_url: &Url, roles: Option<&str>) {
    let origin = public_url.as_str().trim_end_matches('/');
    let line = roles.map_or_else(|| format!("ready at {origin}"), |roles| format!("ready as {roles}"));
    // Nobody may be reading: no reason to stop.
    let _ = writeln!(std::io::stdout(), "docuvault {line}");
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
