//! F07: the disk under PostgreSQL and NATS is full.

use std::time::Duration;

use reqwest::Method;

use super::cluster::{Cluster, Shape};
use crate::client::announcement;
use crate::standalone::vault::eventually;

const CONTENT: &[u8] = b"There is always room for one more.";
const LIMIT: Duration = Duration::from_mins(1);

#[tokio::test]
async fn a_full_disk_refuses_and_loses_nothing() {
    let cluster = Cluster::start(Shape { nodes: &["vault-1"], small_disk: true, ..Shape::default() }).await;
    let Some(disk) = &cluster.disk else { return };
    let ana = cluster.person("ana@example.org").await;
    let mut kept = vec![ana.upload("Before.txt", "text/plain", CONTENT).await["document_id"].clone()];
    let request = async |name: String| {
        let body = announcement(&name, "text/plain", CONTENT);
        ana.request(Method::POST, "/documents").json(&body).send().await.unwrap()
    };

    disk.fill();
    let mut tries = 0;
    eventually(LIMIT, async || {
        tries += 1;
        let answer = request(format!("{tries}.txt")).await;
        match answer.status().as_u16() {
            201 => {
                kept.push(answer.json::<serde_json::Value>().await.unwrap()["document_id"].clone());
                false
            }
            status => {
                assert_eq!(status, 503, "{}", answer.text().await.unwrap());
                assert!(answer.headers().contains_key("retry-after"));
                true
            }
        }
    })
    .await;
    disk.make_room();

    eventually(LIMIT, async || request("After.txt".into()).await.status() == 201).await;
    for id in &kept {
        ana.get(&format!("/documents/{}", id.as_str().unwrap())).await;
    }
    assert_eq!(ana.download(kept[0].as_str().unwrap()).await, CONTENT);
    eventually(LIMIT, async || cluster.caught_up().await).await;
    let (code, report) = cluster.replay(&["verify"]).await;
    assert_eq!(code, Some(0), "{report}");
    cluster.stop(false).await;
}
