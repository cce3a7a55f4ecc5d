//! Looks into each upload once it is complete: what it is, and what it says. The text goes to the object store and to
//! `document_texts`, and then a command records the inspection, with the upload as its cause.
//!
//! Anything may run twice or at the same time. The derived key depends on the upload alone, the first recorded
//! inspection counts, and whoever finds that theirs is not it (or that the document was purged meanwhile) removes what
//! they wrote. What a crash leaves is removed when the event comes again, or by the sweeper.

#[cfg(test)]
mod tests;

use aggregates::document::{Inspection, UploadRequest};
use aggregates::{Document, DocumentCommand, DocumentEvent, DocumentId, Event, UploadId, UserId};
use anyhow::Context as _;
use event_store::{Context, EventStore, ExecuteError, RecordedEvent};
use futures::FutureExt;
use futures::future::BoxFuture;

use super::{Consumer, Trouble};
use crate::blobs::{BlobError, Blobs};
use crate::documents::{carry_out, keys, system_context, texts};
use crate::error::ApiError;
use crate::inspection::{Finding, Inspector, TYPE_FROM};

const NAME: &str = "classification";

/// What the consumer works with. Cheap to clone.
#[derive(Clone)]
pub struct Classification {
    pub store: EventStore,
    pub blobs: Blobs,
    pub inspector: Inspector,
}

/// Which upload.
#[derive(Clone, Copy)]
struct Upload {
    owner: UserId,
    document: DocumentId,
    id: UploadId,
}

impl Consumer for Classification {
    fn name(&self) -> &'static str {
        NAME
    }

    fn subjects(&self) -> &'static [&'static str] {
        &["docuvault.document.upload_completed"]
    }

    fn handle(&self, event: RecordedEvent) -> BoxFuture<'_, Result<(), Trouble>> {
        async move { Ok(self.classify(&event).await?) }.boxed()
    }
}

impl Classification {
    /// Handles one event of the log; anything but the completion of an upload is nothing to it.
    pub async fn classify(&self, event: &RecordedEvent) -> anyhow::Result<()> {
        let Event::Document(DocumentEvent::UploadCompleted { upload_id, .. }) = &event.event else {
            return Ok(());
        };
        let document: DocumentId = event.aggregate_id.parse()?;
        let upload = Upload { owner: event.owner_id, document, id: *upload_id };
        let (document, _) = self.store.load::<Document>(&document.to_string()).await?;
        let request = document.owned_by(upload.owner).context("an upload without a request was completed")?;
        if !document.stage().is_retained() {
            return self.remove(upload).await;
        }
        if document.inspection_of(upload.id).is_some() {
            return Ok(());
        }
        let finding = match self.look(request).await {
            Ok(finding) => finding,
            Err(error) => return self.unless_purged(upload, error).await,
        };
        self.keep(upload, event, finding).await
    }

    async fn look(&self, request: &UploadRequest) -> anyhow::Result<Finding> {
        let key = &request.object_key;
        if request.size > self.inspector.limits.file {
            let beginning = self.blobs.fetch(key, TYPE_FROM).await?;
            return self.inspector.type_of(beginning).await;
        }
        self.inspector.inspect(self.blobs.fetch(key, request.size).await?).await
    }

    /// An object that is gone is none to look into, if its document is gone, too.
    async fn unless_purged(&self, upload: Upload, error: anyhow::Error) -> anyhow::Result<()> {
        let (document, _) = self.store.load::<Document>(&upload.document.to_string()).await?;
        match error.downcast_ref() {
            Some(BlobError::NotFound) if !document.stage().is_retained() => self.remove(upload).await,
            _ => Err(error),
        }
    }

    async fn keep(&self, upload: Upload, event: &RecordedEvent, finding: Finding) -> anyhow::Result<()> {
        let Finding { content_type, text } = finding;
        let inspection = match text {
            Ok(text) => {
                let key = keys::derived(upload.owner, upload.document, upload.id);
                self.blobs.put_text(&key, &text.text).await?;
                texts::store(&self.store, upload.owner, upload.document, upload.id, &text).await?;
                Inspection::TextExtracted {
                    characters: text.text.chars().count() as u64,
                    bytes: text.text.len() as u64,
                    language: text.language,
                    key,
                }
            }
            Err(reason) => Inspection::NotInspected { reason },
        };
        let wrote = inspection.key().is_some();
        let command = DocumentCommand::RecordInspection { upload_id: upload.id, content_type, inspection };
        match self.record(upload, event, command).await {
            Ok(Some(Inspection::TextExtracted { .. })) => Ok(()),
            // Somebody else's inspection counts, and found no text.
            Ok(_) if wrote => self.remove(upload).await,
            Ok(_) => Ok(()),
            // Purged, or its owner is erased.
            Err(ExecuteError::Refused(ApiError::Gone(_) | ApiError::NotFound) | ExecuteError::NoKey) => {
                self.remove(upload).await
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Records the inspection unless there is one. Answers the one that counts.
    async fn record(
        &self,
        upload: Upload,
        event: &RecordedEvent,
        command: DocumentCommand,
    ) -> Result<Option<Inspection>, ExecuteError<ApiError>> {
        let mut context: Context = system_context(NAME, upload.owner, self.store.clock());
        context.metadata.causation_id = Some(event.event_id);
        if let Some(conversation) = event.metadata.get("correlation_id").and_then(|id| id.parse().ok()) {
            context.metadata.correlation_id = conversation;
        }
        let recorded = self.store.execute(context, move |unit| {
            let command = command.clone();
            async move {
                let mut document = unit.load::<Document>(upload.document.0).await?;
                carry_out(unit, upload.owner, upload.document, &mut document, command).await?;
                Ok(document.inspection_of(upload.id).cloned())
            }
            .boxed()
        });
        Ok(recorded.await?.value)
    }

    /// Removes what an inspection that does not count has written.
    async fn remove(&self, upload: Upload) -> anyhow::Result<()> {
        self.blobs.delete(&keys::derived(upload.owner, upload.document, upload.id)).await?;
        texts::remove(&self.store, upload.document).await?;
        Ok(())
    }
}
