//! What people notice of a rebuild: requests at a fixed rate, without one and while one is under way.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::drive::{Measured, open_loop};
use crate::library::Library;
use crate::lists::{self, PAGE};
use crate::report::Report;
use crate::vault::Vault;

const REQUESTS_A_SECOND: u32 = 100;
const LOOK_EVERY: Duration = Duration::from_millis(250);

pub(crate) async fn run(library: &Library, secs: Duration, report: &mut Report) -> anyhow::Result<()> {
    let quiet = requests(library, async {
        tokio::time::sleep(secs).await;
        Ok(())
    });
    report.add("api without a rebuild", "docuvault", quiet.await?);
    let started = Instant::now();
    let begun = library.vault.post("/admin/projections/document_listing/rebuild").send().await?;
    ensure!(begun.status() == 202, "rebuild: {}", begun.text().await?);
    let measured = requests(library, rebuilt(&library.vault)).await?;
    report.add("api during a rebuild", "docuvault", measured);
    let events = library.ours.store.head().await?;
    report.note(format!(
        "that rebuild: document_listing over {events} events in {:.1} s, under load",
        started.elapsed().as_secs_f64()
    ));
    Ok(())
}

/// Returns when no rebuild is under way.
async fn rebuilt(vault: &Vault) -> anyhow::Result<()> {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let all: Value = vault.get("/admin/projections").send().await?.json().await?;
        let mut all = all["items"].as_array().context("projections")?.iter();
        let listing = all.find(|one| one["name"] == "document_listing").context("document_listing")?;
        if listing["state"] != "rebuilding" {
            return Ok(());
        }
    }
}

/// Three in four read a page, the fourth renames a document.
async fn requests(
    library: &Library,
    enough: impl Future<Output = anyhow::Result<()>>,
) -> anyhow::Result<Measured> {
    open_loop(REQUESTS_A_SECOND, enough, |n, due| {
        let (vault, documents) = (Arc::clone(&library.vault), Arc::clone(&library.documents));
        async move {
            if n.is_multiple_of(4) {
                rename(&vault, documents[usize::try_from(n)? % documents.len()], n).await?;
            } else {
                lists::read(&vault, PAGE).await?;
            }
            Ok(due.elapsed())
        }
    })
    .await
}

async fn rename(vault: &Vault, document: Uuid, n: u64) -> anyhow::Result<()> {
    let name = json!({ "name": format!("Renamed {n} {}.pdf", rand::random::<u32>()) });
    let response = vault.patch(&format!("/documents/{document}")).json(&name).send().await?;
    ensure!(response.status() == 200, "rename: {}", response.text().await?);
    Ok(())
}
