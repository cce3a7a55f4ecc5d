//! `/metrics` on its own socket, loopback by default: figures are for the operator, not for clients.

use std::future::ready;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// How often samples are folded into their histograms when nobody scrapes; bounds what they occupy.
const UPKEEP: Duration = Duration::from_secs(5);

/// Makes the `metrics` macros of the whole process record. Fails when called twice.
pub fn install_metrics() -> anyhow::Result<PrometheusHandle> {
    Ok(PrometheusBuilder::new().install_recorder()?)
}

/// Serves `GET /metrics` in the Prometheus text format, and `others`, until `shutdown`.
pub async fn serve_metrics(
    socket: TcpListener,
    metrics: PrometheusHandle,
    others: Router,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    tracing::info!(address = %socket.local_addr()?, "metrics are served");
    let upkeep = async {
        loop {
            tokio::time::sleep(UPKEEP).await;
            metrics.run_upkeep();
        }
    };
    let rendered = metrics.clone();
    let routes = Router::new().route("/metrics", get(move || ready(rendered.render()))).merge(others);
    tokio::select! {
        served = async { axum::serve(socket, routes).await } => Ok(served?),
        () = upkeep => Ok(()),
        () = shutdown.cancelled() => Ok(()),
    }
}
