//! The documents' bytes, in an S3 store. Clients move them by presigned URLs, so they pass through this process only
//! to be hashed or inspected.
//!
//! Two clients: one speaks to the store's own address, the other only signs URLs for the address that people reach.

mod client;
mod disposition;
mod error;
mod fetch;
mod hash;
mod list;
mod multipart;
mod objects;
mod presign;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use aws_sdk_s3::Client;
use event_store::Clock;

pub use disposition::{Disposition, content_disposition};
pub use error::BlobError;
pub use hash::Hashed;
pub use list::{ListedObject, ListedUpload, ObjectPage, UploadPage, UploadPlace};
pub use multipart::StoredPart;
pub use objects::Stored;
pub use presign::{Download, Presigned};

use crate::config::S3Config;

/// The bucket. Cheap to clone.
#[derive(Clone)]
pub struct Blobs {
    internal: Client,
    public: Client,
    bucket: Arc<str>,
    clock: Clock,
}

impl Blobs {
    /// For an existing bucket; does not connect. `clock` dates the URLs.
    pub fn new(config: &S3Config, clock: Clock) -> Self {
        Self {
            internal: client::connect(config, &config.endpoint),
            public: client::connect(config, &config.public_endpoint),
            bucket: config.bucket.as_str().into(),
            clock,
        }
    }
}
