use aggregates::document::UploadRequest;
use aggregates::{Document, DocumentCommand, DocumentId, Quota, QuotaCommand};
use event_store::Unit;

use crate::error::ApiError;

/// Announces an upload and reserves its bytes, both or neither.
pub async fn request_upload(
    unit: &mut Unit,
    document_id: DocumentId,
    request: Box<UploadRequest>,
) -> Result<(), ApiError> {
    let reserve = QuotaCommand::Reserve { upload_id: request.upload_id, bytes: request.size };
    let owner = request.owner_id;
    let mut document = unit.create::<Document>(document_id.0).await?;
    unit.handle(&mut document, DocumentCommand::RequestUpload(request)).await?;
    let mut quota = unit.load::<Quota>(owner.0).await?;
    unit.handle(&mut quota, reserve).await?;
    Ok(())
}
