//! A long listing over HTTP: its first page and one deep in it.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::Value;

use crate::drive::closed_loop;
use crate::report::Report;
use crate::vault::Vault;

const CONNECTIONS: usize = 32;
pub(crate) const PAGE: &str = "/documents?limit=50&sort=-created_at";

pub(crate) async fn run(
    vault: &Arc<Vault>,
    documents: u32,
    secs: Duration,
    report: &mut Report,
) -> anyhow::Result<()> {
    let deep = deep_cursor(vault, documents).await?;
    let pages =
        [("api list first page", PAGE.to_owned()), ("api list deep page", format!("{PAGE}&cursor={deep}"))];
    for connections in [CONNECTIONS, 1] {
        for (cell, path) in &pages {
            let (vault, path) = (Arc::clone(vault), path.clone());
            let measured = closed_loop(connections, secs, move |_, _| {
                let (vault, path) = (Arc::clone(&vault), path.clone());
                async move { read(&vault, &path).await }
            });
            report.add(&format!("{cell}, {connections}"), "docuvault", measured.await?);
        }
    }
    Ok(())
}

pub(crate) async fn read(vault: &Vault, path: &str) -> anyhow::Result<()> {
    let response = vault.get(path).send().await?;
    ensure!(response.status() == 200, "{}", response.text().await?);
    response.bytes().await?;
    Ok(())
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
