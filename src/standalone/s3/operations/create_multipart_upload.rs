use std::sync::Arc;

use s3s::{
    S3Response,
    dto::{ChecksumType, CreateMultipartUploadInput, CreateMultipartUploadOutput},
};

use super::Answer;
use crate::standalone::s3::{
    checksum::Algorithm,
    storage::{About, Storage, Upload, new_id},
};

pub(super) async fn create_multipart_upload(
    storage: &Arc<Storage>,
    input: CreateMultipartUploadInput,
) -> Answer<CreateMultipartUploadOutput> {
    let upload = Upload {
        initiated: storage.now(),
        algorithm: input.checksum_algorithm.as_ref().map(Algorithm::parse).transpose()?,
        full_object: input.checksum_type.as_ref().map(|kind| kind.as_str() == ChecksumType::FULL_OBJECT),
        about: About {
            cache_control: input.cache_control,
            content_disposition: input.content_disposition,
            content_encoding: input.content_encoding,
            content_language: input.content_language,
            content_type: input.content_type,
            metadata: input.metadata.unwrap_or_default(),
        },
    };
    let upload_id = new_id();
    let output = CreateMultipartUploadOutput {
        bucket: Some(input.bucket.clone()),
        key: Some(input.key.clone()),
        upload_id: Some(upload_id.clone()),
        checksum_algorithm: input.checksum_algorithm,
        checksum_type: input.checksum_type,
        ..CreateMultipartUploadOutput::default()
    };
    storage
        .write(move |change| {
            change.object(&input.bucket, &input.key)?;
            change.put_upload(&input.bucket, &input.key, &upload_id, &upload)
        })
        .await?;
    Ok(S3Response::new(output))
}
