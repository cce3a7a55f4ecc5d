//! More than one process of each kind: leaders fail over, a leader that sleeps writes nothing when it wakes up, and
//! what was written through one API process can be read through the other.

use std::time::Duration;

use nix::sys::signal::Signal;
use reqwest::Method;
use serde_json::json;
use tokio::time::{Instant, timeout};

use super::cluster::{Cluster, Node, Shape};
use crate::client::Client;
use crate::standalone::vault::eventually;

const CONTENT: &[u8] = b"Seen by everybody at once.";
/// For another process to take over.
const FAILOVER: Duration = Duration::from_secs(8);
const LIMIT: Duration = Duration::from_mins(1);
const SHAPE: Shape =
    Shape { nodes: &["api-1", "api-2", "logger-1", "logger-2"], small_disk: false, clocks: false };

/// The same person at every API process.
fn everywhere(cluster: &Cluster, person: &Client) -> Vec<Client> {
    let at =
        |node: &Node| Client { http: node.http(), base: person.base.clone(), token: person.token.clone() };
    cluster.apis().map(at).collect()
}

fn loggers(cluster: &Cluster) -> Vec<&Node> {
    cluster.nodes.iter().filter(|node| !node.has_api()).collect()
}

/// How long it takes until a change shows in the read models, and in NATS.
async fn until_it_shows(cluster: &Cluster, ana: &Client, id: &str) -> Duration {
    let started = Instant::now();
    let name = format!("{:?}.txt", started.elapsed());
    let rename = ana.request(Method::PATCH, &format!("/documents/{id}")).json(&json!({ "name": name }));
    assert_eq!(rename.send().await.unwrap().status(), 200);
    timeout(LIMIT, eventually(LIMIT, async || cluster.caught_up().await)).await.unwrap();
    started.elapsed()
}

#[tokio::test]
async fn writes_through_one_process_are_read_through_the_other() {
    let cluster = Cluster::start(SHAPE).await;
    let ana = everywhere(&cluster, &cluster.person("ana@example.org").await);
    let id = ana[0].upload("0.txt", "text/plain", CONTENT).await["document_id"].as_str().unwrap().to_owned();
    let path = format!("/documents/{id}");
    for number in 1..40 {
        let (writer, reader) = (&ana[number % 2], &ana[(number + 1) % 2]);
        let name = format!("{number}.txt");
        let rename = writer.request(Method::PATCH, &path).json(&json!({ "name": name }));
        let renamed = rename.send().await.unwrap();
        let position = renamed.headers()["docuvault-position"].clone();
        let read = reader.request(Method::GET, &path).header("Docuvault-Min-Position", position);
        let read = read.send().await.unwrap();
        assert!(!read.headers().contains_key("docuvault-stale"), "{read:?}");
        assert_eq!(read.json::<serde_json::Value>().await.unwrap()["name"], name);
    }
    cluster.stop(false).await;
}

#[tokio::test]
async fn another_process_takes_over_from_a_killed_or_sleeping_leader() {
    let cluster = Cluster::start(SHAPE).await;
    let ana = cluster.person("ana@example.org").await;
    let id = ana.upload("Kept.txt", "text/plain", CONTENT).await["document_id"].as_str().unwrap().to_owned();
    eventually(LIMIT, async || cluster.caught_up().await).await;
    // One of the two is the leader, whichever.
    for node in loggers(&cluster) {
        node.process.end_by(Signal::SIGKILL).await;
        let took = until_it_shows(&cluster, &ana, &id).await;
        assert!(took < FAILOVER, "{} was killed, and the other took {took:?}", node.process.name);
        node.process.hold(false);
        eventually(LIMIT, async || cluster.all_ready().await).await;
    }
    for node in loggers(&cluster) {
        assert!(node.process.signal(Signal::SIGSTOP));
        let took = until_it_shows(&cluster, &ana, &id).await;
        assert!(took < FAILOVER, "{} slept, and the other took {took:?}", node.process.name);
        let before = cluster.checkpoints().await;
        assert!(node.process.signal(Signal::SIGCONT));
        // It answers again, so it has had its chance to write.
        eventually(LIMIT, async || cluster.all_ready().await).await;
        assert_eq!(cluster.checkpoints().await, before, "{} woke up and wrote", node.process.name);
        until_it_shows(&cluster, &ana, &id).await;
    }
    let (code, report) = cluster.replay(&["verify"]).await;
    assert_eq!(code, Some(0), "{report}");
    cluster.stop(false).await;
}
