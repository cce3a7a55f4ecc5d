//! How a client brings the bytes: URLs that are good for a short time.

use std::collections::BTreeMap;
use std::time::Duration;

use aggregates::UploadId;
use aggregates::document::{Transfer, UploadRequest};
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::blobs::{BlobError, Blobs, StoredPart};
use crate::documents::{Part, parts};
use crate::error::ApiError;

/// How long the URLs of an upload are good.
const VALID: Duration = Duration::from_mins(15);
/// URLs in one answer.
const URLS: usize = 1_000;

/// What to send where. With `method` and `url` it is one PUT, with `parts` one PUT for each of them.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum Upload {
    Single {
        #[schema(value_type = uuid::Uuid)]
        id: UploadId,
        method: &'static str,
        url: String,
        /// Must go with the PUT.
        headers: BTreeMap<String, String>,
        /// Of the URL; a later one comes from `POST /documents/{id}/upload`.
        expires_at: DateTime<Utc>,
    },
    Multipart {
        #[schema(value_type = uuid::Uuid)]
        id: UploadId,
        /// Bytes of every part but the last one.
        part_size: u64,
        /// By number; the stored ones and up to 1,000 of the rest.
        parts: Vec<UploadPart>,
        /// Of the URLs.
        expires_at: DateTime<Utc>,
    },
}

/// A part that is stored already has an `etag`, another one has `url` and `headers` for its PUT.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum UploadPart {
    Stored { number: u16, etag: String },
    Missing { number: u16, url: String, headers: BTreeMap<String, String> },
}

impl Upload {
    /// With fresh URLs. `stored`: the parts that have arrived, by number.
    pub(super) async fn of(
        request: &UploadRequest,
        blobs: &Blobs,
        now: DateTime<Utc>,
        stored: Vec<StoredPart>,
    ) -> Result<Self, ApiError> {
        let valid = VALID.min((request.expires_at - now).to_std().unwrap_or(VALID));
        let expires_at = now + TimeDelta::from_std(valid).map_err(anyhow::Error::from)?;
        let id = request.upload_id;
        Ok(match &request.transfer {
            Transfer::Single { staging_key } => {
                let UploadRequest { content_type, size, content_hash, .. } = request;
                let sha256 = content_hash.sha256.open().ok_or(ApiError::NotFound)?;
                let put = blobs.presign_put(staging_key, content_type, *size, sha256, valid).await?;
                Self::Single { id, method: "PUT", url: put.url, headers: put.headers, expires_at }
            }
            Transfer::Multipart { multipart_id, part_size } => {
                let missing = Missing { blobs, key: &request.object_key, multipart_id, valid };
                let parts = missing.beside(stored, parts(request.size, *part_size)).await?;
                Self::Multipart { id, part_size: *part_size, parts, expires_at }
            }
        })
    }
}

struct Missing<'a> {
    blobs: &'a Blobs,
    key: &'a str,
    multipart_id: &'a str,
    valid: Duration,
}

impl Missing<'_> {
    async fn beside(
        &self,
        stored: Vec<StoredPart>,
        all: impl Iterator<Item = Part>,
    ) -> Result<Vec<UploadPart>, BlobError> {
        let mut stored = stored.into_iter().peekable();
        let mut shown = Vec::new();
        let mut urls = 0;
        for part in all {
            if let Some(StoredPart { number, etag }) = stored.next_if(|stored| stored.number == part.number) {
                shown.push(UploadPart::Stored { number, etag });
            } else if urls < URLS {
                urls += 1;
                shown.push(self.url(part).await?);
            }
        }
        Ok(shown)
    }

    async fn url(&self, Part { number, size }: Part) -> Result<UploadPart, BlobError> {
        let Self { blobs, key, multipart_id, valid } = *self;
        let put = blobs.presign_part(key, multipart_id, number, size, valid).await?;
        Ok(UploadPart::Missing { number, url: put.url, headers: put.headers })
    }
}
