//! Bytes on a socket: what hyper and we make of requests that no client library would send (attack W05).

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::routing::{get, post};
use sqlx::PgPool;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use crate::fixture::Vault;
use crate::http::serve;

/// The whole router, whose layers have their say as well.
#[sqlx::test(migrations = "./migrations")]
async fn a_length_beside_chunks_smuggles_nothing(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve(listener, vault.router.clone(), CancellationToken::new()));
    for lengths in [
        "Content-Length: 3\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 3",
        "Transfer-Encoding: chunked",
    ] {
        let request = format!(
            "POST /api/v1/auth/login HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n{lengths}\r\n\r\n\
             0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
        );
        let answer = talk(address, request.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
        assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{answer}");
        assert!(answer.contains("nosniff"), "{answer}");
    }
}

async fn start(stop: &CancellationToken) -> (SocketAddr, JoinHandle<anyhow::Result<()>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let gate = stop.clone();
    let router =
        Router::new().route("/", get(async || "fine")).route("/echo", post(async |body: String| body)).route(
            "/slow",
            get(async move || {
                gate.cancelled().await;
                "done"
            }),
        );
    (address, tokio::spawn(serve(listener, router, stop.clone())))
}

/// Everything that the server says before it closes.
async fn talk(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    let read = timeout(Duration::from_secs(40), stream.read_to_end(&mut answer)).await.expect("it closes");
    assert!(read.is_ok() || !answer.is_empty(), "{read:?}");
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn ambiguous_lengths_are_refused_and_the_connection_closed() {
    let (address, _server) = start(&CancellationToken::new()).await;
    let smuggled = "GET /admin HTTP/1.1\r\nHost: a\r\n\r\n";
    for lengths in [
        "Content-Length: 3\r\nContent-Length: 5",
        "Content-Length: 3, 5",
        "Content-Length: -1",
        "Content-Length: 3\r\nTransfer-Encoding: chunked, identity",
        "Transfer-Encoding: identity\r\nContent-Length: 3",
    ] {
        let request = format!("POST /echo HTTP/1.1\r\nHost: a\r\n{lengths}\r\n\r\nabc{smuggled}");
        let answer = talk(address, request.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{lengths}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{lengths}: {answer}");
    }
}

#[tokio::test]
async fn large_headers_are_refused() {
    let (address, _server) = start(&CancellationToken::new()).await;
    let request = format!("GET / HTTP/1.1\r\nHost: a\r\nX-Large: {}\r\n\r\n", "x".repeat(17 * 1024));
    let answer = talk(address, request.as_bytes()).await;
    assert_is_problem(&answer, 431);
}

/// What hyper refuses by itself, alone and behind a good request.
#[tokio::test]
async fn what_is_no_request_is_answered_in_the_form_of_every_error() {
    let (address, _server) = start(&CancellationToken::new()).await;
    let good = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    for broken in [
        "nonsense\r\n\r\n",
        "GET / HTTP/9.9\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
        "GET / HTTP/1.1\r\nX: \0\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 5\r\n\r\nabc",
    ] {
        assert_is_problem(&talk(address, broken.as_bytes()).await, 400);
        let both = talk(address, format!("{good}{broken}").as_bytes()).await;
        assert!(both.starts_with("HTTP/1.1 200"), "{both}");
        assert_eq!(both.matches("HTTP/1.1 400").count(), 1, "{both}");
    }
}

/// Once, as problem details, and the connection is closed.
fn assert_is_problem(answer: &str, status: u16) {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    assert!(head.contains("content-type: application/problem+json") && head.contains("nosniff"), "{answer}");
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!((&body["type"], &body["status"]), (&"/problems/bad-request".into(), &status.into()));
    assert!(head.contains(&format!("x-request-id: {}", body["request_id"].as_str().unwrap())), "{answer}");
}

/// A request may take 30 seconds, its body included.
#[sqlx::test(migrations = "./migrations")]
async fn slow_bodies_are_not_waited_for(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve(listener, vault.router.clone(), CancellationToken::new()));
    let started = Instant::now();
    let half = "POST /api/v1/auth/login HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nContent-Type: application/json\r\n\
                Content-Length: 40\r\n\r\n{\"email\":";
    let answer = timeout(Duration::from_secs(45), talk(address, half.as_bytes())).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("/problems/unavailable"), "{answer}");
    assert!(started.elapsed() > Duration::from_secs(28), "an honest client has its time");
}

#[tokio::test]
async fn slow_headers_are_not_waited_for() {
    let (address, _server) = start(&CancellationToken::new()).await;
    let started = Instant::now();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let drip = async {
        stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ").await.unwrap();
        while stream.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    timeout(Duration::from_secs(15), drip).await.expect("the connection is closed");
    assert!(started.elapsed() > Duration::from_secs(8), "an honest client has its time");
}

#[tokio::test]
async fn requests_under_way_are_finished_when_the_server_stops() {
    let stop = CancellationToken::new();
    let (address, server) = start(&stop).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    // Answered in order: once this other one is answered, the server has had its turn with the first as well.
    talk(address, b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    stop.cancel();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("done"), "{answer}");
    server.await.unwrap().unwrap();
    assert!(TcpStream::connect(address).await.is_err());
}
