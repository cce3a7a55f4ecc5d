use std::sync::Arc;

use s3s::{
    S3Response,
    dto::{AbortMultipartUploadInput, AbortMultipartUploadOutput},
};

use super::Answer;
use crate::standalone::s3::storage::Storage;

pub(super) async fn abort_multipart_upload(
    storage: &Arc<Storage>,
    input: AbortMultipartUploadInput,
) -> Answer<AbortMultipartUploadOutput> {
    storage
        .write(move |change| {
            change.upload(&input.bucket, &input.key, &input.upload_id)?;
            change.remove_upload(&input.bucket, &input.key, &input.upload_id)?;
            change.remove_parts(&input.upload_id, &[])
        })
        .await?;
    Ok(S3Response::new(AbortMultipartUploadOutput::default()))
}
