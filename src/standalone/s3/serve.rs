//! The listener: a bounded number of HTTP/1.1 connections, CORS around S3, and an orderly end.

use std::{sync::Arc, time::Duration};

use http::{HeaderName, HeaderValue, Method, header};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
    service::TowerToHyperService,
};
use s3s::service::S3Service;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tower::{ServiceBuilder, service_fn};
use tower_http::cors::{AllowHeaders, CorsLayer};

use super::presigned;

const MOST_CONNECTIONS: usize = 512;
/// Time for the head of a request.
const HEAD_TIME: Duration = Duration::from_secs(10);
/// Bytes of the head of a request; a key of 1,024 bytes may be thrice as long in a URL.
const HEAD_SIZE: usize = 32 * 1024;
/// Time for open requests to end at shutdown.
const GRACE: Duration = Duration::from_secs(10);
/// Pause when the system has no more connections to give.
const PAUSE: Duration = Duration::from_millis(100);
/// How long browsers may remember a preflight.
const PREFLIGHT_AGE: Duration = Duration::from_mins(10);

/// Serves until `shutdown`, then ends what is under way.
pub(super) async fn serve(
    s3: S3Service,
    cors_origins: Vec<HeaderValue>,
    listener: TcpListener,
    shutdown: CancellationToken,
) {
    let answer = service_fn(move |request| presigned::answer(s3.clone(), request));
    let service = TowerToHyperService::new(ServiceBuilder::new().layer(cors(cors_origins)).service(answer));
    let graceful = GracefulShutdown::new();
    let slots = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    while let Some((stream, slot)) = shutdown.run_until_cancelled(accept(&listener, &slots)).await {
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIME)
            .max_buf_size(HEAD_SIZE)
            .serve_connection(TokioIo::new(stream), service.clone());
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection broke off");
            }
            drop(slot);
        });
    }
    drop(listener);
    if timeout(GRACE, graceful.shutdown()).await.is_err() {
        tracing::warn!("requests to the S3 endpoint were cut off at shutdown");
    }
}

async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> (TcpStream, Option<tokio::sync::OwnedSemaphorePermit>) {
    // The semaphore is never closed, so there is always a permit to wait for.
    let slot = Arc::clone(slots).acquire_owned().await.ok();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return (stream, slot),
            Err(error) => {
                tracing::warn!(%error, "the S3 endpoint can't accept a connection");
                sleep(PAUSE).await;
            }
        }
    }
}

fn cors(origins: Vec<HeaderValue>) -> CorsLayer {
    CorsLayer::new()
        .allow_origin(origins)
        .allow_methods([Method::GET, Method::HEAD, Method::PUT])
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers([
            header::ACCEPT_RANGES,
            header::CONTENT_DISPOSITION,
            header::CONTENT_LENGTH,
            header::CONTENT_RANGE,
            header::ETAG,
            HeaderName::from_static("x-amz-checksum-sha256"),
        ])
        .max_age(PREFLIGHT_AGE)
}
