//! Hashing what is stored: the one time that bytes come through this process, a chunk at a time.

use sha2::{Digest, Sha256};

use super::{BlobError, Blobs};

/// Size and hash of an object, as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hashed {
    /// Bytes.
    pub size: u64,
    /// Hex.
    pub sha256: String,
}

impl Blobs {
    /// Reads the object under `key` to its end.
    pub async fn hash(&self, key: &str) -> Result<Hashed, BlobError> {
        let object = self.internal.get_object().bucket(&*self.bucket).key(key).send().await?;
        let mut body = object.body;
        let mut sha256 = Sha256::new();
        let mut size = 0;
        while let Some(chunk) = body.next().await {
            let chunk = chunk.map_err(|error| BlobError::Unavailable(error.to_string()))?;
            size += chunk.len() as u64;
            sha256.update(&chunk);
        }
        Ok(Hashed { size, sha256: hex::encode(sha256.finalize()) })
    }
}
