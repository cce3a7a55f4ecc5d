//! A large log of the real thing: uploaded documents with their quota, four events an append, through the store.

use aggregates::{Document, DocumentCommand, Quota, QuotaCommand, UserId};
use event_store::EventStore;
use futures::{FutureExt, StreamExt, TryStreamExt};

use crate::fixture;
use crate::ours::{self, Failed};

/// Appends at once: enough to fill the batches.
pub(crate) const AT_ONCE: usize = 256;

/// Opens a quota without bounds worth mentioning for each of `owners`.
pub(crate) async fn quotas(store: &EventStore, owners: &[UserId]) -> anyhow::Result<()> {
    futures::stream::iter(owners)
        .map(|owner| quota(store, *owner, vec![QuotaCommand::Open { limit: u64::MAX >> 1 }]))
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await
}

/// Sends `commands` to the quota of `owner` as one append.
pub(crate) async fn quota(
    store: &EventStore,
    owner: UserId,
    commands: Vec<QuotaCommand>,
) -> anyhow::Result<()> {
    store
        .execute(ours::context(store, owner), move |unit| {
            let commands = commands.clone();
            async move {
                let mut quota = unit.load::<Quota>(owner.0).await?;
                for command in commands {
                    unit.handle(&mut quota, command).await?;
                }
                Ok::<_, Failed>(())
            }
            .boxed()
        })
        .await?;
    Ok(())
}

/// Appends `count` uploaded documents, in turn for each of `owners`, who have quotas.
pub(crate) async fn documents(store: &EventStore, owners: &[UserId], count: u32) -> anyhow::Result<()> {
    futures::stream::iter(owners.iter().cycle().zip(0..count))
        .map(|(owner, n)| document(store, *owner, u64::from(n)))
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await
}

async fn document(store: &EventStore, owner: UserId, n: u64) -> anyhow::Result<()> {
    let (id, clock) = (store.clock().new_id(), store.clock());
    let mut request = fixture::request(owner, clock)?;
    request.name = fixture::name(owner, n)?;
    let (upload_id, bytes, now) = (request.upload_id, request.size, clock.now());
    store
        .execute(ours::context(store, owner), move |unit| {
            let request = request.clone();
            async move {
                let mut document = unit.create::<Document>(id).await?;
                unit.handle(&mut document, DocumentCommand::RequestUpload(request)).await?;
                unit.handle(&mut document, DocumentCommand::CompleteUpload { now }).await?;
                let mut quota = unit.load::<Quota>(owner.0).await?;
                unit.handle(&mut quota, QuotaCommand::Reserve { upload_id, bytes }).await?;
                unit.handle(&mut quota, QuotaCommand::Commit { upload_id }).await?;
                Ok::<_, Failed>(())
            }
            .boxed()
        })
        .await?;
    Ok(())
}
