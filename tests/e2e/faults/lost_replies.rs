//! F08: the database has committed, and its reply is lost on the way.

use std::time::Duration;

use reqwest::Method;
use serde_json::Value;

use super::cluster::{Cluster, Shape};
use super::proxy::Mode;
use crate::client::announcement;
use crate::standalone::vault::eventually;

const CONTENT: &[u8] = b"Once and only once.";
const LIMIT: Duration = Duration::from_mins(1);
const DOCUMENTS: usize = 12;

#[tokio::test]
async fn a_lost_reply_is_resolved_by_the_idempotency_key() {
    let cluster = Cluster::start(Shape { nodes: &["api-1", "logger-1"], ..Shape::default() }).await;
    let ana = cluster.person("ana@example.org").await;
    let link = &cluster.nodes[0].postgres;
    for number in 0..DOCUMENTS {
        let body = announcement(&format!("{number}.txt"), "text/plain", CONTENT);
        let key = format!("key-{number}");
        link.set(Mode::LostReply(4));
        let mut ids = Vec::new();
        eventually(LIMIT, async || {
            let request = ana.request(Method::POST, "/documents").header("Idempotency-Key", &key).json(&body);
            let answer = request.send().await.unwrap();
            match answer.status().as_u16() {
                201 => ids.push(answer.json::<Value>().await.unwrap()["document_id"].clone()),
                status => assert_eq!(status, 503, "{}", answer.text().await.unwrap()),
            }
            // Once more, when all is well again: the same answer.
            link.still_to_lose() == 0 && ids.len() == 2
        })
        .await;
        assert_eq!(ids[0], ids[1], "the second answer is about another document");
    }
    let reserved = CONTENT.len() * DOCUMENTS;
    eventually(LIMIT, async || {
        let answer = ana.request(Method::GET, "/quota").send().await.unwrap();
        answer.json::<Value>().await.is_ok_and(|quota| quota["reserved"] == reserved)
    })
    .await;
    let mut log = cluster.postgres.connect("docuvault").await.unwrap();
    let requested = "SELECT count(*) FROM events WHERE event_type = 'UploadRequested'";
    let requested: i64 = sqlx::query_scalar(requested).fetch_one(&mut log).await.unwrap();
    assert_eq!(usize::try_from(requested).unwrap(), DOCUMENTS);
    let (code, report) = cluster.replay(&["verify"]).await;
    assert_eq!(code, Some(0), "{report}");
    cluster.stop(false).await;
}
