//! Search over HTTP: words of names and of texts, common ones and rare ones.

use std::sync::Arc;
use std::time::Duration;

use anyhow::ensure;
use serde_json::Value;

use crate::drive::closed_loop;
use crate::library::{RARE_NUMBER, word};
use crate::lists;
use crate::report::Report;
use crate::vault::Vault;

const CONNECTIONS: usize = 4;

pub(crate) async fn run(vault: &Arc<Vault>, secs: Duration, report: &mut Report) -> anyhow::Result<()> {
    let searches = [
        ("every document", "pdf".to_owned()),
        ("a frequent word", "invoice".to_owned()),
        ("a rare word", RARE_NUMBER.to_string()),
        ("two words", "invoice+insurance".to_owned()),
        ("a prefix", "insur".to_owned()),
        ("a common word of texts", word(3)),
        ("a rare word of texts", word(1_500)),
    ];
    for (what, words) in searches {
        let path = format!("/documents?limit=50&q={words}");
        let page: Value = vault.get(&path).send().await?.json().await?;
        ensure!(page["items"].as_array().is_some_and(|items| !items.is_empty()), "{what}: nothing is found");
        let vault = Arc::clone(vault);
        let measured = closed_loop(CONNECTIONS, secs, move |_, _| {
            let (vault, path) = (Arc::clone(&vault), path.clone());
            async move { lists::read(&vault, &path).await }
        });
        report.add(&format!("search: {what}"), "docuvault", measured.await?);
    }
    Ok(())
}
