//! What the index holds.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use redb::{ReadTransaction, ReadableTable, TableDefinition};
use s3s::s3_error;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::Failure;
use crate::standalone::s3::checksum::{Algorithm, Checksum};

type Key = (&'static str, &'static [u8]);

/// Bucket names.
pub(in crate::standalone::s3) const BUCKETS: TableDefinition<&str, ()> = TableDefinition::new("buckets");
/// (bucket, key) → [`Object`]. Keys are bytes, so that they sort as S3 lists them.
pub(in crate::standalone::s3) const OBJECTS: TableDefinition<Key, &[u8]> = TableDefinition::new("objects");
/// (bucket, key, upload id) → [`Upload`].
pub(in crate::standalone::s3) const UPLOADS: TableDefinition<(&str, &[u8], &str), &[u8]> =
    TableDefinition::new("uploads");
/// (content id, number) → [`Part`]. A multipart upload's id is the id of the content that it gathers.
pub(in crate::standalone::s3) const PARTS: TableDefinition<(&str, u16), &[u8]> =
    TableDefinition::new("parts");
/// Content id → how many objects show it; copies share it.
pub(super) const REFERENCES: TableDefinition<&str, u64> = TableDefinition::new("references");
/// Data files that may exist and that no part uses.
pub(super) const UNSETTLED: TableDefinition<&str, ()> = TableDefinition::new("unsettled");

/// An object as clients see it, and the content that holds its bytes.
#[derive(Clone, Serialize, Deserialize)]
pub(in crate::standalone::s3) struct Object {
    pub content: String,
    pub size: u64,
    /// Without quotes.
    pub e_tag: String,
    pub modified: DateTime<Utc>,
    pub checksum: Option<Checksum>,
    pub about: About,
}

/// What a client says about an object and gets back unchanged.
#[derive(Clone, Serialize, Deserialize)]
pub(in crate::standalone::s3) struct About {
    pub cache_control: Option<String>,
    pub content_disposition: Option<String>,
    pub content_encoding: Option<String>,
    pub content_language: Option<String>,
    pub content_type: Option<String>,
    pub metadata: HashMap<String, String>,
}

/// A multipart upload that is neither completed nor aborted.
#[derive(Clone, Serialize, Deserialize)]
pub(in crate::standalone::s3) struct Upload {
    pub initiated: DateTime<Utc>,
    pub algorithm: Option<Algorithm>,
    /// Whether the client asked for a checksum over the whole object instead of one over its parts'.
    pub full_object: Option<bool>,
    pub about: About,
}

/// One data file: all of an object, or a part of a multipart upload.
#[derive(Clone, Serialize, Deserialize)]
pub(in crate::standalone::s3) struct Part {
    pub file: String,
    pub size: u64,
    /// The MD5 in hex.
    pub e_tag: String,
    pub modified: DateTime<Utc>,
    pub checksum: Checksum,
}

pub(in crate::standalone::s3) fn decode<T: DeserializeOwned>(record: &[u8]) -> Result<T, Failure> {
    Ok(serde_json::from_slice(record)?)
}

pub(in crate::standalone::s3) fn find_object(
    objects: &impl ReadableTable<Key, &'static [u8]>,
    bucket: &str,
    key: &str,
) -> Result<Option<Object>, Failure> {
    objects.get((bucket, key.as_bytes()))?.map(|record| decode(record.value())).transpose()
}

/// `NoSuchUpload` when it was completed or aborted, or never existed.
pub(in crate::standalone::s3) fn find_upload(
    snapshot: &ReadTransaction,
    bucket: &str,
    key: &str,
    upload_id: &str,
) -> Result<Upload, Failure> {
    upload_in(&snapshot.open_table(UPLOADS)?, bucket, key, upload_id)
}

pub(super) fn upload_in(
    uploads: &impl ReadableTable<(&'static str, &'static [u8], &'static str), &'static [u8]>,
    bucket: &str,
    key: &str,
    upload_id: &str,
) -> Result<Upload, Failure> {
    let record = uploads.get((bucket, key.as_bytes(), upload_id))?;
    record.map_or_else(|| Err(s3_error!(NoSuchUpload).into()), |record| decode(record.value()))
}
