//! Single objects: look, copy, delete.

use aws_sdk_s3::types::{ChecksumMode, ChecksumType};
use base64::Engine;
use base64::prelude::BASE64_STANDARD as BASE64;
use url::form_urlencoded::byte_serialize;

use super::{BlobError, Blobs};

/// An object of the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Bytes.
    pub size: u64,
    pub etag: String,
    /// Of the whole content in hex, if the store vouches for it.
    pub sha256: Option<String>,
}

impl Blobs {
    /// What is stored under `key`.
    pub async fn head(&self, key: &str) -> Result<Stored, BlobError> {
        let head = self
            .internal
            .head_object()
            .bucket(&*self.bucket)
            .key(key)
            .checksum_mode(ChecksumMode::Enabled)
            .send()
            .await?;
        let composite = head.checksum_type() == Some(&ChecksumType::Composite);
        Ok(Stored {
            size: head.content_length().and_then(|size| size.try_into().ok()).unwrap_or(0),
            sha256: head.checksum_sha256().filter(|_| !composite).and_then(to_hex),
            etag: head.e_tag.unwrap_or_default(),
        })
    }

    /// Copies `from` to `to` if it is still the object with `etag`.
    pub async fn copy(&self, from: &str, etag: &str, to: &str) -> Result<(), BlobError> {
        let source: String = byte_serialize(from.as_bytes()).collect();
        self.internal
            .copy_object()
            .bucket(&*self.bucket)
            .copy_source(format!("{}/{}", self.bucket, source.replace("%2F", "/")))
            .copy_source_if_match(etag)
            .key(to)
            .send()
            .await?;
        Ok(())
    }

    /// Removes an object. One that is not there is as good as removed.
    pub async fn delete(&self, key: &str) -> Result<(), BlobError> {
        match self.internal.delete_object().bucket(&*self.bucket).key(key).send().await {
            Ok(_) => Ok(()),
            Err(error) => match error.into() {
                BlobError::NotFound => Ok(()),
                other => Err(other),
            },
        }
    }
}

fn to_hex(base64: &str) -> Option<String> {
    BASE64.decode(base64).ok().map(hex::encode)
}
