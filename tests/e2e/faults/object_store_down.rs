//! F06: the object store is down, slow, or breaks off its answers.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use super::cluster::{Cluster, Shape};
use super::proxy::Mode;
use crate::client::{Client, announcement, expect};
use crate::standalone::vault::eventually;

const CONTENT: &[u8] = b"Bytes that take their time.";
/// Without the store a metadata request takes milliseconds; this bears a loaded machine.
const PROMPT: Duration = Duration::from_secs(2);
const LIMIT: Duration = Duration::from_secs(30);

#[tokio::test]
async fn a_failing_object_store_costs_nothing_but_confirmations() {
    let cluster = Cluster::start(Shape { nodes: &["vault"], ..Shape::default() }).await;
    let ana = cluster.person("ana@example.org").await;
    let link = &cluster.nodes[0].store;
    let kept = ana.upload("Kept.txt", "text/plain", CONTENT).await;
    let faults = [Mode::Cut, Mode::Slow(LIMIT), Mode::Truncated(20), Mode::LostReply(100)];
    for (number, fault) in faults.into_iter().enumerate() {
        let name = format!("{number}.txt");
        let requested = ana.post("/documents", &announcement(&name, "text/plain", CONTENT), 201).await;
        assert_eq!(ana.put(&requested["upload"], CONTENT.to_vec()).await, 200);
        let id = requested["document_id"].as_str().unwrap();

        link.set(fault);
        let confirm = ana.request(Method::POST, &format!("/documents/{id}/confirm")).json(&json!({})).send();
        let (confirmed, ()) = tokio::join!(confirm, metadata_requests_are_prompt(&ana, &kept, fault));
        let confirmed = confirmed.unwrap();
        assert!(confirmed.headers().contains_key("retry-after"), "{fault:?}: {confirmed:?}");
        expect(confirmed, 503).await;
        assert_eq!(ana.get("/quota").await["reserved"], CONTENT.len(), "{fault:?}");

        link.set(Mode::Pass);
        // The pool of connections may hold one that broke: then the next try has a new one.
        eventually(LIMIT, async || {
            let again =
                ana.request(Method::POST, &format!("/documents/{id}/confirm")).json(&json!({})).send();
            again.await.unwrap().status() == 200
        })
        .await;
        assert_eq!(ana.get("/quota").await["reserved"], 0, "{fault:?}");
        assert_eq!(ana.download(id).await, CONTENT);
    }
    let (code, report) = cluster.replay(&["verify"]).await;
    assert_eq!(code, Some(0), "{report}");
    cluster.stop(false).await;
}

/// What only the database is needed for.
async fn metadata_requests_are_prompt(ana: &Client, kept: &Value, fault: Mode) {
    let path = format!("/documents/{}", kept["document_id"].as_str().unwrap());
    let body = announcement("Announced.txt", "text/plain", CONTENT);
    for _ in 0..5 {
        for (method, path, body) in [
            (Method::GET, "/documents", None),
            (Method::PATCH, path.as_str(), Some(json!({ "name": "Renamed.txt" }))),
            (Method::POST, "/documents", Some(body.clone())),
            (Method::GET, "/quota", None),
        ] {
            let started = Instant::now();
            let mut request = ana.request(method.clone(), path);
            if let Some(body) = body {
                request = request.json(&body);
            }
            let answer = request.send().await.unwrap();
            assert!(answer.status().is_success(), "{fault:?}: {method} {path}: {answer:?}");
            assert!(started.elapsed() < PROMPT, "{fault:?}: {method} {path} took {:?}", started.elapsed());
            if method == Method::POST {
                let requested: Value = answer.json().await.unwrap();
                ana.delete(&format!("/documents/{}/upload", requested["document_id"].as_str().unwrap()))
                    .await;
            }
        }
    }
}
