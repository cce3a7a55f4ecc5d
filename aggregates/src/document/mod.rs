//! A document: upload requested → (verifying) → uploaded → trashed ⇄ restored → purged.
//!
//! An upload that never arrives is cancelled, expired or rejected. The quota follows in the same append, so each of
//! these happens at most once.

mod command;
mod error;
mod event;
mod inspection;
mod stage;
#[cfg(test)]
mod tests;

use chrono::{DateTime, Utc};
use cqrs_es::Aggregate;
use cqrs_es::event_sink::EventSink;
use serde::{Deserialize, Serialize};

pub use command::DocumentCommand;
pub use error::DocumentError;
pub use event::{ContentHash, DocumentEvent, RejectionReason, StoredObject, Transfer, UploadRequest};
pub use inspection::{Inspection, InspectionRefusal};
pub use stage::Stage;

use crate::{Name, Personal, UploadId, UserId};

/// State of one document.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    stage: Stage,
    request: Option<Box<UploadRequest>>,
    /// How often it has changed for people.
    revision: u64,
    /// Of the upload that it names.
    inspection: Option<(UploadId, Inspection)>,
}

impl Document {
    pub const fn stage(&self) -> Stage {
        self.stage
    }

    /// What was requested (with the newest name), unless nothing was.
    pub fn request(&self) -> Option<&UploadRequest> {
        self.request.as_deref()
    }

    /// The request, if it was `owner` who made it; also of a document that is gone.
    pub fn owned_by(&self, owner: UserId) -> Option<&UploadRequest> {
        self.request.as_deref().filter(|request| request.owner_id == owner)
    }

    /// How often it has changed for people; looks into the bytes do not count.
    pub const fn revision(&self) -> u64 {
        self.revision
    }

    /// What a look into the bytes of `upload` came to, unless nobody has looked yet.
    pub fn inspection_of(&self, upload: UploadId) -> Option<&Inspection> {
        self.inspection
            .as_ref()
            .filter(|(inspected, _)| *inspected == upload)
            .map(|(_, inspection)| inspection)
    }

    /// The objects that keep the content, and what was derived from it.
    fn retained_objects(&self, request: &UploadRequest) -> Vec<StoredObject> {
        let derived = self.inspection.as_ref().and_then(|(_, inspection)| inspection.key());
        let keys = [Some(request.object_key.as_str()), derived];
        keys.into_iter().flatten().map(|key| StoredObject::Object { key: key.to_owned() }).collect()
    }

    /// The events that `command` causes, or why it is refused. No events: it is already so.
    pub fn decide(&self, command: DocumentCommand) -> Result<Vec<DocumentEvent>, DocumentError> {
        let Some(request) = &self.request else {
            return match command {
                DocumentCommand::RequestUpload(request) => Ok(vec![DocumentEvent::UploadRequested(request)]),
                _ => Err(DocumentError::NotFound),
            };
        };
        match command {
            DocumentCommand::RequestUpload(_) => Err(DocumentError::AlreadyRequested),
            DocumentCommand::BeginVerification { now } => self.begin_verification(request, now),
            DocumentCommand::CompleteUpload { now } => self.complete(request, now),
            DocumentCommand::RejectUpload { reason } => self.reject(request, reason),
            DocumentCommand::CancelUpload => self.cancel(request),
            DocumentCommand::ExpireUpload { now } => self.expire(request, now),
            DocumentCommand::RecordInspection { upload_id, content_type, inspection } => {
                self.record_inspection(request, upload_id, content_type, inspection)
            }
            DocumentCommand::Rename { name } => self.rename(request, name),
            DocumentCommand::Trash => self.trash(request),
            DocumentCommand::Restore => self.restore(request),
            DocumentCommand::Purge => self.purge(request),
        }
    }

    fn begin_verification(
        &self,
        request: &UploadRequest,
        now: DateTime<Utc>,
    ) -> Result<Vec<DocumentEvent>, DocumentError> {
        match self.stage {
            Stage::Verifying | Stage::Active | Stage::Trashed => Ok(vec![]),
            Stage::Pending if now >= request.expires_at => Err(DocumentError::Expired),
            Stage::Pending if matches!(request.transfer, Transfer::Multipart { .. }) => {
                Ok(vec![DocumentEvent::VerificationStarted { upload_id: request.upload_id }])
            }
            Stage::Pending => Err(DocumentError::NothingToVerify),
            other => Err(other.gone()),
        }
    }

    fn complete(
        &self,
        request: &UploadRequest,
        now: DateTime<Utc>,
    ) -> Result<Vec<DocumentEvent>, DocumentError> {
        let completed = || {
            Ok(vec![DocumentEvent::UploadCompleted {
                upload_id: request.upload_id,
                version: 1,
                bytes: request.size,
            }])
        };
        match self.stage {
            Stage::Active | Stage::Trashed => Ok(vec![]),
            Stage::Verifying => completed(),
            Stage::Pending if now >= request.expires_at => Err(DocumentError::Expired),
            Stage::Pending if matches!(request.transfer, Transfer::Single { .. }) => completed(),
            Stage::Pending => Err(DocumentError::NotVerified),
            other => Err(other.gone()),
        }
    }

    fn reject(
        &self,
        request: &UploadRequest,
        reason: RejectionReason,
    ) -> Result<Vec<DocumentEvent>, DocumentError> {
        match self.stage {
            Stage::Pending | Stage::Verifying => Ok(vec![DocumentEvent::UploadRejected {
                upload_id: request.upload_id,
                reason,
                objects: request.objects(),
            }]),
            Stage::Rejected => Ok(vec![]),
            Stage::Active | Stage::Trashed => Err(DocumentError::AlreadyUploaded),
            other => Err(other.gone()),
        }
    }

    fn cancel(&self, request: &UploadRequest) -> Result<Vec<DocumentEvent>, DocumentError> {
        match self.stage {
            Stage::Pending => Ok(vec![DocumentEvent::UploadCancelled {
                upload_id: request.upload_id,
                objects: request.objects(),
            }]),
            Stage::Cancelled | Stage::Expired | Stage::Rejected => Ok(vec![]),
            Stage::Verifying | Stage::Active | Stage::Trashed => Err(DocumentError::AlreadyUploaded),
            other => Err(other.gone()),
        }
    }

    /// Verifying never expires: the bytes are there, and hashing them is our own work.
    fn expire(
        &self,
        request: &UploadRequest,
        now: DateTime<Utc>,
    ) -> Result<Vec<DocumentEvent>, DocumentError> {
        match self.stage {
            Stage::Pending if now < request.expires_at => Err(DocumentError::NotExpired),
            Stage::Pending => Ok(vec![DocumentEvent::UploadExpired {
                upload_id: request.upload_id,
                objects: request.objects(),
            }]),
            _ => Ok(vec![]),
        }
    }

    /// The first look counts: others that raced with it have seen the same bytes.
    fn record_inspection(
        &self,
        request: &UploadRequest,
        upload_id: UploadId,
        content_type: String,
        inspection: Inspection,
    ) -> Result<Vec<DocumentEvent>, DocumentError> {
        match self.stage {
            Stage::Active | Stage::Trashed if upload_id != request.upload_id => {
                Err(DocumentError::UnknownUpload)
            }
            Stage::Active | Stage::Trashed if self.inspection_of(upload_id).is_some() => Ok(vec![]),
            Stage::Active | Stage::Trashed => {
                Ok(vec![DocumentEvent::DocumentInspected { upload_id, content_type, inspection }])
            }
            Stage::Pending | Stage::Verifying => Err(DocumentError::NotUploaded),
            other => Err(other.gone()),
        }
    }

    fn rename(
        &self,
        request: &UploadRequest,
        name: Personal<Name>,
    ) -> Result<Vec<DocumentEvent>, DocumentError> {
        match self.stage {
            Stage::Pending | Stage::Verifying | Stage::Active | Stage::Trashed if name == request.name => {
                Ok(vec![])
            }
            Stage::Pending | Stage::Verifying | Stage::Active | Stage::Trashed => {
                Ok(vec![DocumentEvent::DocumentRenamed { name }])
            }
            Stage::Rejected => Err(DocumentError::Rejected),
            other => Err(other.gone()),
        }
    }

    fn trash(&self, request: &UploadRequest) -> Result<Vec<DocumentEvent>, DocumentError> {
        match self.stage {
            Stage::Active => Ok(vec![DocumentEvent::DocumentTrashed { bytes: request.size }]),
            Stage::Trashed => Ok(vec![]),
            Stage::Pending | Stage::Verifying => Err(DocumentError::NotUploaded),
            Stage::Rejected => Err(DocumentError::Rejected),
            other => Err(other.gone()),
        }
    }

    fn restore(&self, request: &UploadRequest) -> Result<Vec<DocumentEvent>, DocumentError> {
        match self.stage {
            Stage::Trashed => Ok(vec![DocumentEvent::DocumentRestored { bytes: request.size }]),
            Stage::Active => Ok(vec![]),
            Stage::Pending | Stage::Verifying => Err(DocumentError::NotUploaded),
            Stage::Rejected => Err(DocumentError::Rejected),
            other => Err(other.gone()),
        }
    }

    fn purge(&self, request: &UploadRequest) -> Result<Vec<DocumentEvent>, DocumentError> {
        let purged =
            |bytes, objects| Ok(vec![DocumentEvent::DocumentPurged { from: self.stage, bytes, objects }]);
        match self.stage {
            Stage::Active | Stage::Trashed => purged(request.size, self.retained_objects(request)),
            // Its bytes were released and its objects given up with the rejection.
            Stage::Rejected => purged(0, vec![]),
            Stage::Pending | Stage::Verifying => Err(DocumentError::NotUploaded),
            other => Err(other.gone()),
        }
    }
}

impl Aggregate for Document {
    const TYPE: &'static str = "document";
    type Command = DocumentCommand;
    type Event = DocumentEvent;
    type Error = DocumentError;
    type Services = ();

    async fn handle(
        &mut self,
        command: DocumentCommand,
        (): &(),
        sink: &EventSink<Self>,
    ) -> Result<(), DocumentError> {
        for event in self.decide(command)? {
            sink.write(event, self).await;
        }
        Ok(())
    }

    fn apply(&mut self, event: DocumentEvent) {
        if let Some(stage) = event.leads_to() {
            self.stage = stage;
        }
        self.revision += u64::from(!matches!(event, DocumentEvent::DocumentInspected { .. }));
        match event {
            DocumentEvent::UploadRequested(request) => self.request = Some(request),
            DocumentEvent::DocumentRenamed { name } => {
                if let Some(request) = &mut self.request {
                    request.name = name;
                }
            }
            DocumentEvent::DocumentInspected { upload_id, inspection, .. } => {
                self.inspection = Some((upload_id, inspection));
            }
            _ => {}
        }
    }
}
