//! URLs that let a client do one thing for a short time: whatever is signed cannot be changed.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use aws_sdk_s3::presigning::{PresignedRequest, PresigningConfig};
use base64::Engine;
use base64::prelude::BASE64_STANDARD as BASE64;

use super::{BlobError, Blobs, Disposition, content_disposition};

/// Documents do not stay in caches of browsers and proxies (ASVS 5.0 V14.3.2).
const UNCACHED: &str = "private, no-store";

/// A request that a client may send: method, URL, and the headers that it must carry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presigned {
    pub url: String,
    pub headers: BTreeMap<String, String>,
}

/// How a download presents itself.
#[derive(Clone, Copy, Debug)]
pub struct Download<'a> {
    pub name: &'a str,
    /// As announced.
    pub content_type: &'a str,
    /// What the bytes are, once somebody has looked.
    pub sniffed_type: Option<&'a str>,
    pub disposition: Disposition,
}

impl Blobs {
    /// A PUT of exactly `size` bytes with this SHA-256 (hex) and type, to a key that holds nothing yet.
    pub async fn presign_put(
        &self,
        key: &str,
        content_type: &str,
        size: u64,
        sha256: &str,
        valid: Duration,
    ) -> Result<Presigned, BlobError> {
        let request = self
            .public
            .put_object()
            .bucket(&*self.bucket)
            .key(key)
            .content_type(content_type)
            .content_length(signed(size))
            .checksum_sha256(BASE64.encode(hex::decode(sha256).unwrap_or_default()))
            .if_none_match("*");
        Ok(request.presigned(self.window(valid)?).await?.into())
    }

    /// A PUT of part `number`, of exactly `size` bytes.
    pub async fn presign_part(
        &self,
        key: &str,
        multipart_id: &str,
        number: u16,
        size: u64,
        valid: Duration,
    ) -> Result<Presigned, BlobError> {
        let request = self
            .public
            .upload_part()
            .bucket(&*self.bucket)
            .key(key)
            .upload_id(multipart_id)
            .part_number(number.into())
            .content_length(signed(size));
        Ok(request.presigned(self.window(valid)?).await?.into())
    }

    /// A GET, ranges included.
    pub async fn presign_get(
        &self,
        key: &str,
        download: Download<'_>,
        valid: Duration,
    ) -> Result<Presigned, BlobError> {
        let request = self
            .public
            .get_object()
            .bucket(&*self.bucket)
            .key(key)
            .response_content_type(download.content_type)
            .response_content_disposition(content_disposition(download))
            .response_cache_control(UNCACHED);
        Ok(request.presigned(self.window(valid)?).await?.into())
    }

    /// As [`Self::presign_get`], for a HEAD: a signature covers the method.
    pub async fn presign_head(
        &self,
        key: &str,
        download: Download<'_>,
        valid: Duration,
    ) -> Result<Presigned, BlobError> {
        let request = self
            .public
            .head_object()
            .bucket(&*self.bucket)
            .key(key)
            .response_content_type(download.content_type)
            .response_content_disposition(content_disposition(download))
            .response_cache_control(UNCACHED);
        Ok(request.presigned(self.window(valid)?).await?.into())
    }

    /// From now on, for so long.
    fn window(&self, valid: Duration) -> Result<PresigningConfig, BlobError> {
        PresigningConfig::builder()
            .start_time(SystemTime::from(self.clock.now()))
            .expires_in(valid)
            .build()
            .map_err(|error| BlobError::Unavailable(error.to_string()))
    }
}

impl From<PresignedRequest> for Presigned {
    fn from(request: PresignedRequest) -> Self {
        let headers = request.headers().map(|(name, value)| (name.to_owned(), value.to_owned()));
        Self { url: request.uri().to_owned(), headers: headers.collect() }
    }
}

/// The SDK counts bytes with a sign; sizes are far below.
fn signed(size: u64) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}
