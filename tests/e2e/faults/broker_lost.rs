//! F05: nats-server dies and its store is deleted; meanwhile nobody notices, and afterwards everything is there again.

use std::time::Duration;

use nix::sys::signal::Signal;

use super::cluster::{Cluster, Shape};
use crate::standalone::vault::eventually;

const CONTENT: &[u8] = b"The log remembers.";
const LIMIT: Duration = Duration::from_mins(1);

#[tokio::test]
async fn a_broker_that_has_lost_its_store_is_filled_again_from_the_log() {
    let cluster = Cluster::start(Shape { nodes: &["vault-1"], ..Shape::default() }).await;
    let ana = cluster.person("ana@example.org").await;
    ana.upload("Before.txt", "text/plain", CONTENT).await;
    eventually(LIMIT, async || cluster.caught_up().await).await;

    cluster.nats.process.end_by(Signal::SIGKILL).await;
    ana.upload("Without.txt", "text/plain", CONTENT).await;
    eventually(LIMIT, async || !cluster.all_ready().await).await;
    cluster.nats.lose_everything().await;

    eventually(LIMIT, async || cluster.all_ready().await && cluster.caught_up().await).await;
    let head = cluster.head().await;
    eventually(LIMIT, async || cluster.nats.last_sequence().await == Some(head)).await;
    ana.upload("After.txt", "text/plain", CONTENT).await;
    let head = cluster.head().await;
    eventually(LIMIT, async || cluster.nats.last_sequence().await == Some(head)).await;
    let (code, report) = cluster.replay(&["verify"]).await;
    assert_eq!(code, Some(0), "{report}");
    cluster.stop(false).await;
}
