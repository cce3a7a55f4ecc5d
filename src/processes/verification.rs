//! Hashes what came in parts, because no S3 store vouches for the SHA-256 of a whole multipart object. One object at a
//! time; after a crash, from its beginning again.

use std::time::Duration;

use aggregates::document::{RejectionReason, Stage, UploadRequest};
use aggregates::{Document, DocumentCommand, DocumentId, UserId};
use anyhow::Context;
use event_store::EventStore;
use futures::FutureExt;
use projections::{Subscriptions, document_listing};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::Parts;
use crate::blobs::{BlobError, Blobs};
use crate::documents::{carry_out, system_context};

pub(super) const NAME: &str = "verification";

const PAGE: i64 = 16;
/// Between two looks, however busy the log is.
const PAUSE: Duration = Duration::from_millis(100);
/// How long the listing may take to show what the log holds.
const LISTED_WITHIN: Duration = Duration::from_secs(2);
/// A look without being woken, and the pause after a failure.
const BACKSTOP: Duration = Duration::from_secs(10);

pub(super) async fn run(parts: Parts, stop: CancellationToken) {
    let Parts { subscriptions: Subscriptions { store, mut head, .. }, blobs, freshness } = parts;
    let forever = async {
        loop {
            let seen = head.get();
            freshness.wait(seen, LISTED_WITHIN).await;
            match verify_uploads(&store, &blobs).await {
                Ok(0) => {
                    sleep(PAUSE).await;
                    // Woken or not, there is a look.
                    let _ = timeout(BACKSTOP, head.beyond(seen)).await;
                }
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(error = format!("{error:#}"), "an upload could not be verified yet");
                    sleep(BACKSTOP).await;
                }
            }
        }
    };
    stop.run_until_cancelled(forever).await;
}

/// Verifies uploads that wait for it, up to a page of them. Returns how many were settled; fails when one could not
/// be, after the others.
pub async fn verify_uploads(store: &EventStore, blobs: &Blobs) -> anyhow::Result<usize> {
    let mut settled = 0;
    let mut outcome = Ok(());
    for row in document_listing::verifying(store.pool(), PAGE).await? {
        match verify(store, blobs, DocumentId(row.document_id)).await {
            Ok(settled_now) => settled += usize::from(settled_now),
            Err(error) => outcome = Err(error.context(format!("document {}", row.document_id))),
        }
    }
    outcome.map(|()| settled)
}

/// False: it was settled already, and the listing is behind.
async fn verify(store: &EventStore, blobs: &Blobs, id: DocumentId) -> anyhow::Result<bool> {
    let (document, _) = store.load::<Document>(&id.to_string()).await?;
    if document.stage() != Stage::Verifying {
        return Ok(false);
    }
    let request = document.request().context("a document without an upload is being verified")?;
    let command = match check(blobs, request).await? {
        Ok(()) => DocumentCommand::CompleteUpload { now: store.clock().now() },
        Err(reason) => DocumentCommand::RejectUpload { reason },
    };
    settle(store, request.owner_id, id, command).await?;
    Ok(true)
}

async fn check(blobs: &Blobs, request: &UploadRequest) -> anyhow::Result<Result<(), RejectionReason>> {
    let announced = request.content_hash.sha256.open().context("the announced hash does not open")?;
    Ok(match blobs.hash(&request.object_key).await {
        Ok(stored) if stored.size != request.size => Err(RejectionReason::SizeMismatch),
        Ok(stored) if stored.sha256 != *announced => Err(RejectionReason::ChecksumMismatch),
        Ok(_) => Ok(()),
        Err(BlobError::NotFound) => Err(RejectionReason::SizeMismatch),
        Err(error) => return Err(error.into()),
    })
}

async fn settle(
    store: &EventStore,
    owner: UserId,
    id: DocumentId,
    command: DocumentCommand,
) -> anyhow::Result<()> {
    let settled = store.execute(system_context(NAME, owner, store.clock()), move |unit| {
        let command = command.clone();
        async move {
            let mut document = unit.load::<Document>(id.0).await?;
            carry_out(unit, owner, id, &mut document, command).await
        }
        .boxed()
    });
    settled.await?;
    Ok(())
}
