//! A content that is being read: its files stay until the last reader is done, even when its object is
//! replaced or deleted meanwhile.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    ops::Range,
    sync::Arc,
};

use bytes::Bytes;
use futures::Stream;
use redb::{ReadTransaction, ReadableDatabase};
use s3s::s3_error;
use tokio::task::spawn_blocking;

use super::{
    Failure, Object, Storage, locked,
    records::{OBJECTS, PARTS, Part, decode, find_object},
};

/// Bytes read from a file at once.
const CHUNK: usize = 256 * 1024;

#[derive(Default)]
pub(super) struct Lease {
    readers: usize,
    /// Files to remove after the last reader.
    dropped: Vec<String>,
}

pub(in crate::standalone::s3) struct Reading {
    storage: Arc<Storage>,
    content: String,
    /// Names and sizes, in the order of the bytes.
    files: Vec<(String, u64)>,
}

impl Storage {
    /// The object under a key, and a hold on its bytes; `NoSuchKey` when there is none.
    pub(in crate::standalone::s3) async fn open_object(
        self: &Arc<Self>,
        bucket: String,
        key: String,
    ) -> Result<(Object, Reading), Failure> {
        let storage = Arc::clone(self);
        spawn_blocking(move || {
            let (snapshot, object) = storage.lease_object(&bucket, &key)?;
            let mut reading = Reading { storage, content: object.content.clone(), files: Vec::new() };
            let parts = snapshot.open_table(PARTS)?;
            for entry in parts.range((reading.content.as_str(), 0)..=(reading.content.as_str(), u16::MAX))? {
                let part: Part = decode(entry?.1.value())?;
                reading.files.push((part.file, part.size));
            }
            Ok((object, reading))
        })
        .await?
    }

    /// The lock is taken before the snapshot, and by [`Storage::dispose`] after a commit: whoever
    /// disposes of a content either sees the lease, or committed before the snapshot.
    fn lease_object(&self, bucket: &str, key: &str) -> Result<(ReadTransaction, Object), Failure> {
        let mut leases = locked(&self.leases);
        let snapshot = self.index.begin_read()?;
        let object = find_object(&snapshot.open_table(OBJECTS)?, bucket, key)?;
        let object = object.ok_or_else(|| s3_error!(NoSuchKey))?;
        leases.entry(object.content.clone()).or_default().readers += 1;
        Ok((snapshot, object))
    }

    /// Removes dropped files of a content, now or after its last reader.
    pub(super) fn dispose(&self, content: &str, files: Vec<String>) -> io::Result<()> {
        if let Some(lease) = locked(&self.leases).get_mut(content) {
            lease.dropped.extend(files);
            return Ok(());
        }
        self.remove_files(files)
    }

    fn return_lease(&self, content: &str) -> io::Result<()> {
        let mut leases = locked(&self.leases);
        let Some(lease) = leases.get_mut(content) else { return Ok(()) };
        lease.readers -= 1;
        if lease.readers > 0 {
            return Ok(());
        }
        let dropped = leases.remove(content).map_or_else(Vec::new, |lease| lease.dropped);
        drop(leases);
        self.remove_files(dropped)
    }
}

impl Reading {
    /// The bytes of a range of the content, which must lie within it.
    pub(in crate::standalone::s3) fn stream(
        self,
        range: Range<u64>,
    ) -> impl Stream<Item = io::Result<Bytes>> + Send + Sync {
        async_stream::try_stream! {
            let mut start = 0;
            for (name, size) in &self.files {
                let wanted = range.start.clamp(start, start + size) - start..range.end.clamp(start, start + size) - start;
                start += size;
                if wanted.is_empty() {
                    continue;
                }
                let path = self.storage.path(name);
                let mut file = spawn_blocking(move || open_at(&path, wanted.start)).await??;
                let mut left = wanted.end - wanted.start;
                while left > 0 {
                    let length = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK);
                    let (returned, bytes) = spawn_blocking(move || read_chunk(file, length)).await??;
                    file = returned;
                    left -= length as u64;
                    yield bytes;
                }
            }
        }
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        if let Err(error) = self.storage.return_lease(&self.content) {
            tracing::warn!(%error, "a file of a deleted object stays until the next start");
        }
    }
}

fn open_at(path: &std::path::Path, offset: u64) -> io::Result<File> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(offset))?;
    Ok(file)
}

fn read_chunk(mut file: File, length: usize) -> io::Result<(File, Bytes)> {
    let mut buffer = vec![0; length];
    file.read_exact(&mut buffer)?;
    Ok((file, buffer.into()))
}
