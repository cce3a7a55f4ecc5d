//! Serves the router over HTTP/1.1. `axum::serve` sets no timer, without which hyper's own limit on the time a header
//! may take does nothing (attack W05).

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use axum::extract::ConnectInfo;
use event_store::Clock;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::refusals::Refusals;

/// A request's header arrives within this time, or the connection is closed. Also how long one may stay idle.
const HEADER_TIME: Duration = Duration::from_secs(10);
const HEADER_BYTES: usize = 16 * 1024;
/// Requests under way get this long when the server stops.
const DRAIN_TIME: Duration = Duration::from_secs(10);
/// When the process is out of file descriptors, asking again at once would only spin.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// Serves until `shutdown`, then lets requests under way finish.
pub async fn serve(listener: TcpListener, router: Router, shutdown: CancellationToken) -> anyhow::Result<()> {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEADER_TIME).max_header_size(HEADER_BYTES);
    let connections = GracefulShutdown::new();
    while let Some(accepted) = shutdown.run_until_cancelled(listener.accept()).await {
        match accepted {
            Ok((stream, peer)) => answer(&http, &connections, router.clone(), stream, peer),
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_AGAIN).await;
            }
        }
    }
    drop(listener);
    tokio::time::timeout(DRAIN_TIME, connections.shutdown())
        .await
        .context("requests were still under way when the time to stop was up")
}

/// One connection, in a task of its own.
fn answer(
    http: &http1::Builder,
    connections: &GracefulShutdown,
    router: Router,
    stream: TcpStream,
    peer: SocketAddr,
) {
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        router.clone().oneshot(request)
    });
    // Without it small answers could wait for an acknowledgement; a socket that refuses is as good as closed.
    drop(stream.set_nodelay(true));
    let connection = connections
        .watch(http.serve_connection(TokioIo::new(Refusals::new(stream, Clock::system())), service));
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection ended early");
        }
    });
}
