//! F15: every connection to the database is taken.

use std::time::{Duration, Instant};

use reqwest::Method;
use sqlx::{Connection, Executor};

use super::cluster::{Cluster, PUBLIC_URL, Shape};
use crate::standalone::vault::eventually;

/// More than a process has connections.
const READERS: usize = 24;
const LIMIT: Duration = Duration::from_secs(30);
/// Two seconds, and a loaded machine.
const PROMPT: Duration = Duration::from_secs(3);

#[tokio::test]
async fn without_a_free_connection_requests_are_turned_away_and_the_process_lives() {
    let cluster = Cluster::start(Shape { nodes: &["api-1", "logger-1"], ..Shape::default() }).await;
    let ana = cluster.person("ana@example.org").await;
    let mut holder = cluster.postgres.connect("docuvault").await.unwrap();
    let mut lock = holder.begin().await.unwrap();
    lock.execute("LOCK TABLE document_listing IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let list = || ana.request(Method::GET, "/documents").send();
    let readers: Vec<_> = (0..READERS).map(|_| tokio::spawn(list())).collect();
    let mut watcher = cluster.postgres.connect("docuvault").await.unwrap();
    let waiting = "SELECT count(*) >= 10 FROM pg_stat_activity
                   WHERE usename = 'docuvault_app' AND wait_event_type = 'Lock'";
    eventually(LIMIT, async || sqlx::query_scalar(waiting).fetch_one(&mut watcher).await.unwrap()).await;

    eventually(LIMIT, async || {
        let started = Instant::now();
        let answer = ana.request(Method::GET, "/quota").send().await.unwrap();
        assert!(started.elapsed() < PROMPT, "the answer took {:?}", started.elapsed());
        answer.status() == 503 && answer.headers().contains_key("retry-after")
    })
    .await;
    let started = Instant::now();
    let alive = ana.http.get(format!("{PUBLIC_URL}/healthz")).send().await.unwrap();
    assert!(alive.status() == 200 && started.elapsed() < Duration::from_secs(1), "{alive:?}");

    lock.rollback().await.unwrap();
    for reader in readers {
        let answer = reader.await.unwrap().unwrap().status();
        assert!(answer == 200 || answer == 503, "{answer}");
    }
    assert_eq!(list().await.unwrap().status(), 200);
    cluster.stop(false).await;
}
