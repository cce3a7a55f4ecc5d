//! `GET /admin/audit`, kept by the audit consumer behind a real nats-server.

use std::collections::BTreeSet;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::client::{Client, expect};
use crate::standalone::vault::{Vault, eventually};

const LIMIT: Duration = Duration::from_secs(30);

/// All rows of a list, page by page, as far as the trail is at `position`.
async fn rows(auditor: &Client, filter: &str, position: i64) -> Vec<Value> {
    let (mut rows, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("/admin/audit?limit=7{filter}{cursor}");
        let request = auditor.request(Method::GET, &path).header("Docuvault-Min-Position", position);
        let response = request.send().await.unwrap();
        assert!(!response.headers().contains_key("docuvault-stale"), "{response:?}");
        let page = expect(response, 200).await;
        rows.extend(page["items"].as_array().unwrap().clone());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return rows,
        }
    }
}

fn types(rows: &[Value]) -> BTreeSet<&str> {
    rows.iter().map(|row| row["type"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn every_event_is_a_row_and_auditors_find_it() {
    let directory = TempDir::new().unwrap();
    let vault = Vault::start(directory.path()).await;
    let ana = Client::first_administrator(&vault).await;
    let bo = Client::another(&vault, "bo@example.org", "user").await;
    let auditor = Client::another(&vault, "audit@example.org", "auditor").await;
    let failed = json!({ "email": "bo@example.org", "password": "not the password" });
    let refused = bo.http.post(format!("{}/auth/login", bo.base)).json(&failed).send().await.unwrap();
    assert_eq!(refused.status(), 401);
    let id = bo.upload("Salary letter.txt", "text/plain", b"hello").await["document_id"].clone();
    let id = id.as_str().unwrap();
    bo.download(id).await;
    let me = bo.get("/me").await["user_id"].as_str().unwrap().to_owned();
    for path in ["/admin/audit", "/admin/audit?type=session_started"] {
        let refused = bo.request(Method::GET, path).send().await.unwrap();
        assert_eq!(refused.status(), 403);
    }
    assert_eq!(ana.request(Method::GET, "/admin/audit").send().await.unwrap().status(), 200);

    let mut database = vault.connect("DATABASE_URL").await.unwrap();
    // What the classifier finds out comes when it comes.
    let inspected = "SELECT EXISTS (SELECT FROM events WHERE event_type = 'DocumentInspected')";
    eventually(LIMIT, async || sqlx::query_scalar(inspected).fetch_one(&mut database).await.unwrap()).await;
    let head = sqlx::query_scalar("SELECT max(position) FROM events");
    let head: i64 = head.fetch_one(&mut database).await.unwrap();
    let all = rows(&auditor, "", head).await;
    let mut positions: Vec<i64> = all.iter().map(|row| row["position"].as_i64().unwrap()).collect();
    positions.retain(|position| *position <= head);
    assert_eq!(positions, (1..=head).rev().collect::<Vec<_>>(), "a row for each, the newest first");
    let told = serde_json::to_string(&all).unwrap();
    for personal in ["Salary", "bo@example.org", "hello"] {
        assert!(!told.contains(personal), "{personal} is told");
    }

    let actor = format!("&actor={me}");
    let by_bo = rows(&auditor, &actor, head).await;
    assert_eq!(by_bo, rows(&auditor, &format!("&actor=user:{me}"), head).await);
    assert!(by_bo.iter().all(|row| row["actor"] == format!("user:{me}")), "{by_bo:#?}");
    assert!(
        types(&by_bo).is_superset(&["session_started", "upload_requested", "document_downloaded"].into())
    );
    let failures = rows(&auditor, "&type=login_failed", head).await;
    assert_eq!((failures.len(), &failures[0]["subject"]), (1, &json!(format!("user:{me}"))));
    for row in by_bo.iter().chain(&failures) {
        assert_eq!(row["ip"], "127.0.0.1", "{row}");
    }

    let about = rows(&auditor, &format!("&document_id={id}"), head).await;
    assert!(about.iter().all(|row| row["subject"] == format!("document:{id}")), "{about:#?}");
    assert!(
        types(&about).is_superset(&["upload_requested", "upload_completed", "document_downloaded"].into())
    );
    let at = failures[0]["at"].as_str().unwrap();
    let from = rows(&auditor, &format!("&type=login_failed&from={at}"), head).await;
    let to = rows(&auditor, &format!("&type=login_failed&to={at}"), head).await;
    assert_eq!((from.len(), to.len()), (1, 0), "from is included, to is not");
}
