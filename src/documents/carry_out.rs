use aggregates::{Document, DocumentCommand, DocumentId, Quota, QuotaCommand, UserId};
use event_store::{Loaded, Unit};

use crate::error::ApiError;

/// Sends `command` to a loaded document of `owner`, and settles the quota with it. Changes nothing when it is
/// already so; says [`ApiError::NotFound`] of a document that is not the owner's.
pub async fn carry_out(
    unit: &mut Unit,
    owner: UserId,
    document_id: DocumentId,
    document: &mut Loaded<Document>,
    command: DocumentCommand,
) -> Result<(), ApiError> {
    let settlement = settlement(document, owner, document_id, &command)?;
    if unit.handle(document, command).await? == 0 {
        return Ok(());
    }
    if let Some(settlement) = settlement {
        let mut quota = unit.load::<Quota>(owner.0).await?;
        unit.handle(&mut quota, settlement).await?;
    }
    Ok(())
}

/// What `command` means for the quota, should it be carried out.
fn settlement(
    document: &Document,
    owner: UserId,
    document_id: DocumentId,
    command: &DocumentCommand,
) -> Result<Option<QuotaCommand>, ApiError> {
    let request = document.owned_by(owner).ok_or(ApiError::NotFound)?;
    let upload_id = request.upload_id;
    Ok(match command {
        DocumentCommand::CompleteUpload { .. } => Some(QuotaCommand::Commit { upload_id }),
        DocumentCommand::RejectUpload { .. }
        | DocumentCommand::CancelUpload
        | DocumentCommand::ExpireUpload { .. } => Some(QuotaCommand::Release { upload_id }),
        DocumentCommand::Purge if document.stage().is_retained() => {
            Some(QuotaCommand::Free { document_id, bytes: request.size })
        }
        DocumentCommand::Purge
        | DocumentCommand::RequestUpload(_)
        | DocumentCommand::BeginVerification { .. }
        | DocumentCommand::RecordInspection { .. }
        | DocumentCommand::Rename { .. }
        | DocumentCommand::Trash
        | DocumentCommand::Restore => None,
    })
}
