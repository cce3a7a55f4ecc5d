//! Bytes that this process reads and writes itself: what is inspected, and what is derived from it.

use std::io::{Seek, SeekFrom, Write};

use aws_sdk_s3::primitives::ByteStream;

use super::{BlobError, Blobs};

impl Blobs {
    /// The object under `key`, up to `at_most` bytes of it, in a file without a name that is gone with its handle.
    pub async fn fetch(&self, key: &str, at_most: u64) -> Result<std::fs::File, BlobError> {
        let request = self.internal.get_object().bucket(&*self.bucket).key(key);
        let mut body = request.send().await?.body;
        let mut file = tempfile::tempfile().map_err(local)?;
        let mut room = usize::try_from(at_most).unwrap_or(usize::MAX);
        while room > 0
            && let Some(chunk) = body.next().await
        {
            let chunk = chunk.map_err(|error| BlobError::Unavailable(error.to_string()))?;
            let chunk = &chunk[..chunk.len().min(room)];
            // Into the page cache: as fast as any copy.
            file.write_all(chunk).map_err(local)?;
            room -= chunk.len();
        }
        file.seek(SeekFrom::Start(0)).map_err(local)?;
        Ok(file)
    }

    /// Stores `text` under `key`, or again.
    pub async fn put_text(&self, key: &str, text: &str) -> Result<(), BlobError> {
        self.internal
            .put_object()
            .bucket(&*self.bucket)
            .key(key)
            .content_type("text/plain; charset=utf-8")
            .body(ByteStream::from(text.as_bytes().to_vec()))
            .send()
            .await?;
        Ok(())
    }
}

fn local(error: std::io::Error) -> BlobError {
    BlobError::Local(error)
}
