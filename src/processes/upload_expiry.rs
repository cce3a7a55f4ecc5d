//! Gives up uploads whose deadline has passed: the reservation is released, and the objects go as after any give-up.

use std::time::Duration;

use aggregates::{Document, DocumentCommand, DocumentId, UserId};
use event_store::{EventStore, ExecuteError};
use futures::FutureExt;
use projections::document_listing;
use tokio::time::interval;
use tokio_util::sync::CancellationToken;

use super::Parts;
use crate::documents::{carry_out, system_context};
use crate::error::ApiError;

pub(super) const NAME: &str = "upload_expiry";

const EVERY: Duration = Duration::from_secs(30);
const PAGE: i64 = 100;

pub(super) async fn run(parts: Parts, stop: CancellationToken) {
    let mut ticks = interval(EVERY);
    let forever = async {
        loop {
            ticks.tick().await;
            if let Err(error) = expire_uploads(&parts.subscriptions.store).await {
                tracing::warn!(error = format!("{error:#}"), "overdue uploads could not be given up");
            }
        }
    };
    stop.run_until_cancelled(forever).await;
}

/// Expires every upload that is overdue now. Returns how many there were.
pub async fn expire_uploads(store: &EventStore) -> anyhow::Result<usize> {
    let mut expired = 0;
    loop {
        let overdue = document_listing::expired_uploads(store.pool(), store.clock().now(), PAGE).await?;
        let before = expired;
        for row in &overdue {
            let (owner, document) = (UserId(row.owner_id), DocumentId(row.document_id));
            match expire(store, owner, document).await {
                Ok(settled_now) => expired += usize::from(settled_now),
                // It keeps nobody else waiting, and is tried again.
                Err(error) => tracing::warn!(%error, %document, "an overdue upload could not be given up"),
            }
        }
        // The listing follows the log: without progress, what it shows is already done.
        if overdue.is_empty() || expired == before {
            return Ok(expired);
        }
    }
}

/// False: it was settled already.
async fn expire(store: &EventStore, owner: UserId, id: DocumentId) -> Result<bool, ExecuteError<ApiError>> {
    let context = system_context(NAME, owner, store.clock());
    let command = DocumentCommand::ExpireUpload { now: context.metadata.occurred_at };
    let expired = store.execute(context, move |unit| {
        let command = command.clone();
        async move {
            let mut document = unit.load::<Document>(id.0).await?;
            carry_out(unit, owner, id, &mut document, command).await
        }
        .boxed()
    });
    Ok(expired.await?.position.is_some())
}
