//! What a client announces about an upload, checked field by field.

use aggregates::document::{ContentHash, Transfer, UploadRequest};
use aggregates::{DocumentId, FolderId, Name, Personal, UploadId, UserId};
use chrono::TimeDelta;
use rand::TryRng;
use rand::rngs::SysRng;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use crate::app::App;
use crate::documents::{SINGLE_PUT_AT_MOST, keys, part_size};
use crate::error::{ApiError, FieldError};

/// The largest object that S3 takes: 5 TiB.
const LARGEST: u64 = 5 << 40;
const LONGEST_CONTENT_TYPE: usize = 255;
/// How long an upload can be resumed.
const OPEN_FOR: TimeDelta = TimeDelta::hours(24);

/// A document that is to be uploaded.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Announcement {
    name: String,
    /// A media type (RFC 6838), parameters allowed.
    content_type: String,
    /// Bytes, up to 5 TiB.
    size: u64,
    /// Of the content, in hex.
    sha256: String,
    #[schema(value_type = Option<uuid::Uuid>)]
    folder_id: Option<FolderId>,
}

/// An announcement that holds what it should.
pub(super) struct Checked {
    name: Name,
    content_type: String,
    size: u64,
    sha256: [u8; 32],
}

impl Announcement {
    /// Names every field that is wrong.
    pub(super) fn check(self) -> Result<Checked, ApiError> {
        let mut errors = Vec::new();
        let mut wrong = |field: &str, code, message: String| {
            errors.push(FieldError { field: field.into(), code, message });
        };
        let name = Name::parse(&self.name).map_err(|error| wrong("name", "invalid", error.to_string())).ok();
        if !is_media_type(&self.content_type) {
            let message = "A content type is a media type such as application/pdf, in at most 255 bytes.";
            wrong("content_type", "invalid", message.into());
        }
        if self.size > LARGEST {
            wrong("size", "out_of_range", format!("A document has at most {LARGEST} bytes."));
        }
        let mut sha256 = [0; 32];
        if hex::decode_to_slice(&self.sha256, &mut sha256).is_err() {
            wrong("sha256", "invalid", "A SHA-256 is 64 hexadecimal digits.".into());
        }
        if self.folder_id.is_some() {
            wrong("folder_id", "invalid", "There is no such folder.".into());
        }
        match name {
            Some(name) if errors.is_empty() => {
                Ok(Checked { name, content_type: self.content_type, size: self.size, sha256 })
            }
            _ => Err(ApiError::Validation(errors)),
        }
    }
}

impl Checked {
    /// The upload of a new document of `owner`. A multipart upload begins in the object store with this; until it is
    /// requested, nobody knows of it, and the sweeper would find it.
    pub(super) async fn plan(
        self,
        app: &App,
        owner: UserId,
        document: DocumentId,
    ) -> Result<UploadRequest, ApiError> {
        let Self { name, content_type, size, sha256 } = self;
        let (clock, upload_id) = (app.clock(), UploadId(app.clock().new_id()));
        let object_key = keys::of_object(owner, document, clock.new_id(), &name.extension());
        let transfer = if size <= SINGLE_PUT_AT_MOST {
            Transfer::Single { staging_key: keys::staging(owner, document, upload_id) }
        } else {
            let multipart_id = app.blobs.create_multipart(&object_key, &content_type).await?;
            Transfer::Multipart { multipart_id, part_size: part_size(size) }
        };
        Ok(UploadRequest {
            owner_id: owner,
            upload_id,
            name: Personal::new(owner, name),
            content_type,
            size,
            content_hash: salted(owner, sha256)?,
            object_key,
            transfer,
            folder_id: None,
            expires_at: clock.now() + OPEN_FOR,
        })
    }
}

fn salted(owner: UserId, sha256: [u8; 32]) -> Result<ContentHash, ApiError> {
    let mut nonce = [0; 32];
    SysRng.try_fill_bytes(&mut nonce).map_err(anyhow::Error::from)?;
    Ok(ContentHash {
        salted: hex::encode(Sha256::new().chain_update(nonce).chain_update(sha256).finalize()),
        nonce: Personal::new(owner, hex::encode(nonce)),
        sha256: Personal::new(owner, hex::encode(sha256)),
    })
}

/// `type/subtype`, each a restricted name of RFC 6838 §4.2; parameters in visible ASCII.
fn is_media_type(text: &str) -> bool {
    let (essence, parameters) = text.split_once(';').unwrap_or((text, ""));
    let is_name = |name: &str| {
        (1..=127).contains(&name.len())
            && name.starts_with(|c: char| c.is_ascii_alphanumeric())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b))
    };
    let essence = essence.trim_end_matches(' ').split_once('/');
    text.len() <= LONGEST_CONTENT_TYPE
        && essence.is_some_and(|(kind, subtype)| is_name(kind) && is_name(subtype))
        && parameters.bytes().all(|b| b == b' ' || b.is_ascii_graphic())
        && !text.ends_with([' ', ';'])
}
