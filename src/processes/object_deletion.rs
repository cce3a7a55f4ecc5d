//! Removes from the object store what no document needs any more: given-up, expired and rejected uploads, purged
//! documents, and the staging objects of uploads that have been placed.

use std::sync::Arc;

use aggregates::document::StoredObject;
use aggregates::{Document, DocumentEvent, DocumentId, Event};
use anyhow::Context;
use cqrs_es::Aggregate;
use event_store::RecordedEvent;
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use projections::Process;
use tokio_util::sync::CancellationToken;

use super::Parts;
use crate::blobs::{BlobError, Blobs};
use crate::documents::keys;

pub(super) const NAME: &str = "object_deletion";

/// Requests to the object store at a time.
const AT_ONCE: usize = 8;

/// The subscriber behind the process.
pub struct ObjectDeletion(pub Blobs);

pub(super) async fn run(parts: Parts, stop: CancellationToken) {
    parts.subscriptions.process(Arc::new(ObjectDeletion(parts.blobs)), stop).await;
}

impl Process for ObjectDeletion {
    fn name(&self) -> &'static str {
        NAME
    }

    fn aggregates(&self) -> Option<&'static [&'static str]> {
        Some(&[Document::TYPE])
    }

    fn handle<'a>(&'a self, events: &'a [RecordedEvent]) -> BoxFuture<'a, anyhow::Result<()>> {
        self.delete_all(events).boxed()
    }
}

impl ObjectDeletion {
    async fn delete_all(&self, events: &[RecordedEvent]) -> anyhow::Result<()> {
        let mut objects = Vec::new();
        for event in events {
            objects.append(&mut obsolete(event)?);
        }
        stream::iter(objects)
            .map(Ok)
            .try_for_each_concurrent(AT_ONCE, |object| self.delete(object))
            .await
            .context("the object store")
    }

    async fn delete(&self, object: StoredObject) -> Result<(), BlobError> {
        match object {
            StoredObject::Object { key } => self.0.delete(&key).await,
            StoredObject::Multipart { key, multipart_id } => {
                self.0.abort_multipart(&key, &multipart_id).await
            }
        }
    }
}

/// What an event makes superfluous.
fn obsolete(event: &RecordedEvent) -> anyhow::Result<Vec<StoredObject>> {
    let Event::Document(change) = &event.event else { return Ok(Vec::new()) };
    Ok(match change {
        DocumentEvent::UploadRejected { objects, .. }
        | DocumentEvent::UploadCancelled { objects, .. }
        | DocumentEvent::UploadExpired { objects, .. }
        | DocumentEvent::DocumentPurged { objects, .. } => objects.clone(),
        DocumentEvent::UploadCompleted { upload_id, .. } => {
            let document: DocumentId = event.aggregate_id.parse()?;
            vec![StoredObject::Object { key: keys::staging(event.owner_id, document, *upload_id) }]
        }
        DocumentEvent::UploadRequested(_)
        | DocumentEvent::VerificationStarted { .. }
        | DocumentEvent::DocumentInspected { .. }
        | DocumentEvent::DocumentRenamed { .. }
        | DocumentEvent::DocumentTrashed { .. }
        | DocumentEvent::DocumentRestored { .. } => Vec::new(),
    })
}
