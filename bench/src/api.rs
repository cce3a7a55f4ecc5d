//! The HTTP API over loopback: a long listing, uploads from request to confirmation, memory.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use aggregates::UserId;
use anyhow::{Context, ensure};
use event_store::{Clock, EventStore, Keyring, MasterKeys};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use sqlx::postgres::PgConnectOptions;

use crate::drive::closed_loop;
use crate::fixture;
use crate::report::{Report, progress};
use crate::seed;
use crate::vault::Vault;

const CONNECTIONS: usize = 32;
const PAGE: &str = "/documents?limit=50&sort=-created_at";

pub(crate) async fn run(
    binary: &Path,
    documents: u32,
    secs: Duration,
    report: &mut Report,
) -> anyhow::Result<()> {
    let vault = Arc::new(Vault::start(binary).await?);
    report.note(format!("docuvault process after its start: {} MB resident", vault.resident_mb()?));

    progress("  request, PUT and confirm of 1 KiB documents");
    let uploading = Arc::clone(&vault);
    let uploads = closed_loop(CONNECTIONS, secs, move |worker, n| {
        let vault = Arc::clone(&uploading);
        async move { upload(&vault, worker, n).await }
    });
    report.add("api request + PUT + confirm", "docuvault", uploads.await?);

    progress(&format!("  {documents} documents of one user"));
    let head = seed(&vault, documents).await?;
    // Each answer waits up to 2 s for the read models, and says which are still behind.
    while vault
        .get(PAGE)
        .header("Docuvault-Min-Position", head)
        .send()
        .await?
        .headers()
        .contains_key("Docuvault-Stale")
    {}
    let deep = deep_cursor(&vault, documents).await?;
    for (cell, path) in
        [("api list first page", PAGE.to_owned()), ("api list deep page", format!("{PAGE}&cursor={deep}"))]
    {
        let reading = Arc::clone(&vault);
        let pages = closed_loop(CONNECTIONS, secs, move |_, _| {
            let (vault, path) = (Arc::clone(&reading), path.clone());
            async move {
                let response = vault.get(&path).send().await?;
                ensure!(response.status() == 200, "{}", response.text().await?);
                response.bytes().await?;
                Ok(())
            }
        });
        report.add(cell, "docuvault", pages.await?);
    }
    report.note(format!("docuvault process after the load: {} MB resident", vault.resident_mb()?));
    Ok(())
}

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

/// Appends uploaded documents straight to the vault's log; returns its head. The vault projects them.
async fn seed(vault: &Vault, documents: u32) -> anyhow::Result<i64> {
    let options: PgConnectOptions = vault.setting("DATABASE_URL")?.parse()?;
    let pool = fixture::pool(options, 4).await?;
    let keyring = Keyring::open(pool.clone(), MasterKeys::read(&vault.master_key()?)?).await?;
    let store = EventStore::new(pool, keyring, Clock::system());
    let owner: UserId = vault.user_id.parse()?;
    seed::documents(&store, &[owner], documents).await?;
    Ok(store.head().await?)
}

/// The cursor nine tenths down the list.
async fn deep_cursor(vault: &Vault, documents: u32) -> anyhow::Result<String> {
    let mut cursor = String::new();
    for _ in 0..documents / 200 * 9 / 10 {
        let page: Value =
            vault.get(&format!("/documents?limit=200&sort=-created_at{cursor}")).send().await?.json().await?;
        cursor = format!("&cursor={}", page["next_cursor"].as_str().context("the list ended early")?);
    }
    Ok(cursor.trim_start_matches("&cursor=").to_owned())
}
