//! Starts the roles of one process and stops them together. (Seam: the lead fills it.)

use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::config::Config;

/// Runs every role until `shutdown`, then drains and returns. `ready` is told once requests are answered.
pub async fn run(
    _config: Config,
    _api: TcpListener,
    shutdown: CancellationToken,
    ready: oneshot::Sender<()>,
) -> anyhow::Result<()> {
    // The receiver is gone when nobody waits for readiness any more.
    let _ = ready.send(());
    shutdown.cancelled().await;
    Ok(())
}
