//! How long after its commit an event is seen: commands at a fixed rate, each waiting, as requests do, until the listing
//! has come as far.

use std::sync::Arc;
use std::time::{Duration, Instant};

use aggregates::{Document, DocumentCommand};
use anyhow::{Context, ensure};
use futures::FutureExt;
use projections::Freshness;
use tokio_util::sync::CancellationToken;

use crate::drive::{Measured, open_loop};
use crate::fixture;
use crate::library::Library;
use crate::ours::{self, Failed};

const COMMANDS_A_SECOND: u32 = 500;
const AT_MOST: Duration = Duration::from_secs(10);

pub(crate) async fn run(library: &Library, secs: Duration) -> anyhow::Result<Measured> {
    let stop = CancellationToken::new();
    let _stop = stop.clone().drop_guard();
    let freshness = Freshness::start(library.ours.store.pool().clone(), &["document_listing"], stop);
    let enough = async {
        tokio::time::sleep(secs).await;
        Ok(())
    };
    open_loop(COMMANDS_A_SECOND, enough, |n, _| {
        let (store, freshness) = (library.ours.store.clone(), freshness.clone());
        let (owner, documents) = (library.owner, Arc::clone(&library.documents));
        async move {
            let id = documents[usize::try_from(n)? % documents.len()];
            let name = fixture::name(owner, n)?;
            let renamed = store.execute(ours::context(&store, owner), move |unit| {
                let name = name.clone();
                async move {
                    let mut document = unit.load::<Document>(id).await?;
                    unit.handle(&mut document, DocumentCommand::Rename { name }).await?;
                    Ok::<_, Failed>(())
                }
                .boxed()
            });
            let position = renamed.await?.position.context("nothing was renamed")?;
            let committed = Instant::now();
            let behind = freshness.wait(position, AT_MOST).await;
            ensure!(behind.is_empty(), "the listing is more than two seconds behind");
            Ok(committed.elapsed())
        }
    })
    .await
}
