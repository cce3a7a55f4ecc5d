//! Multipart uploads: clients store the parts, we begin, join and abort.

use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};

use super::{BlobError, Blobs};

/// A part that has arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredPart {
    /// From 1.
    pub number: u16,
    pub etag: String,
}

impl Blobs {
    /// Begins an upload to `key`. Answers its id.
    pub async fn create_multipart(&self, key: &str, content_type: &str) -> Result<String, BlobError> {
        let created = self
            .internal
            .create_multipart_upload()
            .bucket(&*self.bucket)
            .key(key)
            .content_type(content_type)
            .send()
            .await?;
        created.upload_id.ok_or_else(|| BlobError::Unavailable("a multipart upload without an id".into()))
    }

    /// All parts that have arrived, by number.
    pub async fn list_parts(&self, key: &str, multipart_id: &str) -> Result<Vec<StoredPart>, BlobError> {
        let mut parts = Vec::new();
        let mut marker = None;
        loop {
            let page = self
                .internal
                .list_parts()
                .bucket(&*self.bucket)
                .key(key)
                .upload_id(multipart_id)
                .set_part_number_marker(marker)
                .send()
                .await?;
            parts.extend(page.parts().iter().filter_map(|part| {
                let number = u16::try_from(part.part_number()?).ok()?;
                Some(StoredPart { number, etag: part.e_tag()?.to_owned() })
            }));
            marker = page.next_part_number_marker;
            if page.is_truncated != Some(true) || marker.is_none() {
                return Ok(parts);
            }
        }
    }

    /// Joins the parts, given in ascending order, to the object.
    pub async fn complete_multipart(
        &self,
        key: &str,
        multipart_id: &str,
        parts: &[StoredPart],
    ) -> Result<(), BlobError> {
        let parts = parts
            .iter()
            .map(|part| CompletedPart::builder().part_number(part.number.into()).e_tag(&part.etag).build());
        let upload = CompletedMultipartUpload::builder().set_parts(Some(parts.collect())).build();
        self.internal
            .complete_multipart_upload()
            .bucket(&*self.bucket)
            .key(key)
            .upload_id(multipart_id)
            .multipart_upload(upload)
            .send()
            .await?;
        Ok(())
    }

    /// Drops an upload and its parts. One that is not there is as good as dropped.
    pub async fn abort_multipart(&self, key: &str, multipart_id: &str) -> Result<(), BlobError> {
        let request = self.internal.abort_multipart_upload().bucket(&*self.bucket).key(key);
        match request.upload_id(multipart_id).send().await {
            Ok(_) => Ok(()),
            Err(error) => match error.into() {
                BlobError::NotFound => Ok(()),
                other => Err(other),
            },
        }
    }
}
