//! Uploads over loopback from request to confirmation, against a standalone vault.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::drive::{Measured, closed_loop};
use crate::report::Report;
use crate::vault::Vault;

const CONNECTIONS: usize = 32;

pub(crate) async fn run(binary: &Path, secs: Duration, report: &mut Report) -> anyhow::Result<Measured> {
    let directory = tempfile::tempdir()?;
    let vault = Arc::new(Vault::standalone(binary, directory.path(), &[]).await?);
    report.note(format!("standalone docuvault after its start: {} MB resident", vault.node.resident_mb()?));
    let uploading = Arc::clone(&vault);
    let measured = closed_loop(CONNECTIONS, secs, move |worker, n| {
        let vault = Arc::clone(&uploading);
        async move { upload(&vault, worker, n).await }
    })
    .await?;
    report.note(format!("standalone docuvault after uploads: {} MB resident", vault.node.resident_mb()?));
    Ok(measured)
}

/// 1 KiB.
async fn upload(vault: &Vault, worker: usize, n: u64) -> anyhow::Result<()> {
    let mut content = format!("{worker} {n} ").into_bytes();
    content.resize(1024, b'x');
    let sha256 = hex::encode(Sha256::digest(&content));
    let request = json!({ "name": format!("{worker}-{n}.txt"), "content_type": "text/plain", "size": 1024, "sha256": sha256 });
    let response = vault.post("/documents").json(&request).send().await?;
    ensure!(response.status() == 201, "request: {}", response.text().await?);
    let document: Value = response.json().await?;
    let mut put = vault.client.put(document["upload"]["url"].as_str().context("url")?).body(content);
    for (name, value) in document["upload"]["headers"].as_object().context("headers")? {
        put = put.header(name, value.as_str().context("header")?);
    }
    let response = put.send().await?;
    ensure!(response.status() == 200, "PUT: {}", response.text().await?);
    let id = document["document_id"].as_str().context("document_id")?;
    let response = vault.post(&format!("/documents/{id}/confirm")).send().await?;
    ensure!(response.status() == 200, "confirm: {}", response.text().await?);
    Ok(())
}
