//! One change of the index, from its begin to its commit.

use redb::{Database, ReadableTable, WriteTransaction};
use s3s::s3_error;

use super::{
    Failure, Incoming, Object, Part, Upload,
    records::{BUCKETS, OBJECTS, PARTS, REFERENCES, UNSETTLED, UPLOADS, decode, find_object, upload_in},
};

pub(in crate::standalone::s3) struct Change {
    transaction: WriteTransaction,
    /// Files that parts of this change use.
    incoming: Vec<Incoming>,
    /// Contents and their files that nothing uses after this change.
    dropped: Vec<(String, Vec<String>)>,
}

impl Change {
    pub(super) fn begin(index: &Database) -> Result<Self, Failure> {
        let mut transaction = index.begin_write()?;
        // Without it, opening after a crash would walk the whole index.
        transaction.set_quick_repair(true);
        Ok(Self { transaction, incoming: Vec::new(), dropped: Vec::new() })
    }

    /// Returns the contents and files to dispose of.
    pub(super) fn commit(mut self) -> Result<Vec<(String, Vec<String>)>, Failure> {
        // Even when the commit reports an error it may have happened. Its files stay, and their rows in
        // the index decide at the next start.
        for incoming in &mut self.incoming {
            incoming.settle();
        }
        self.transaction.commit()?;
        Ok(self.dropped)
    }

    pub(super) fn create_tables(&self) -> Result<(), Failure> {
        self.transaction.open_table(BUCKETS)?;
        self.transaction.open_table(OBJECTS)?;
        self.transaction.open_table(UPLOADS)?;
        self.transaction.open_table(PARTS)?;
        self.transaction.open_table(REFERENCES)?;
        self.transaction.open_table(UNSETTLED)?;
        Ok(())
    }

    /// Enters names of files that are going to be written.
    pub(super) fn announce(&self, files: &[String]) -> Result<(), Failure> {
        let mut unsettled = self.transaction.open_table(UNSETTLED)?;
        for file in files {
            unsettled.insert(file.as_str(), ())?;
        }
        Ok(())
    }

    /// Strikes out names of files that are gone.
    pub(super) fn forget(&self, files: Vec<String>) -> Result<(), Failure> {
        let mut unsettled = self.transaction.open_table(UNSETTLED)?;
        for file in files {
            unsettled.remove(file.as_str())?;
        }
        Ok(())
    }

    pub(in crate::standalone::s3) fn create_bucket(&self, bucket: &str) -> Result<(), Failure> {
        self.transaction.open_table(BUCKETS)?.insert(bucket, ())?;
        Ok(())
    }

    /// The object under a key, if any; `NoSuchBucket` where there is no bucket.
    pub(in crate::standalone::s3) fn object(
        &self,
        bucket: &str,
        key: &str,
    ) -> Result<Option<Object>, Failure> {
        if self.transaction.open_table(BUCKETS)?.get(bucket)?.is_none() {
            return Err(s3_error!(NoSuchBucket).into());
        }
        find_object(&self.transaction.open_table(OBJECTS)?, bucket, key)
    }

    /// Shows an object under a key, instead of the one that was there.
    pub(in crate::standalone::s3) fn put_object(
        &mut self,
        bucket: &str,
        key: &str,
        object: &Object,
    ) -> Result<(), Failure> {
        {
            let mut references = self.transaction.open_table(REFERENCES)?;
            let count = references.get(object.content.as_str())?.map_or(0, |count| count.value());
            references.insert(object.content.as_str(), count + 1)?;
        }
        self.remove_object(bucket, key)?;
        let record = serde_json::to_vec(object)?;
        self.transaction.open_table(OBJECTS)?.insert((bucket, key.as_bytes()), record.as_slice())?;
        Ok(())
    }

    /// Removes the object under a key, if there is one, and its content when no other object shows it.
    pub(in crate::standalone::s3) fn remove_object(
        &mut self,
        bucket: &str,
        key: &str,
    ) -> Result<(), Failure> {
        let removed: Option<Object> = {
            let mut objects = self.transaction.open_table(OBJECTS)?;
            let record = objects.remove((bucket, key.as_bytes()))?;
            record.map(|record| decode(record.value())).transpose()?
        };
        let Some(object) = removed else { return Ok(()) };
        let left = {
            let mut references = self.transaction.open_table(REFERENCES)?;
            let count = references.remove(object.content.as_str())?.map_or(0, |count| count.value());
            let left = count.saturating_sub(1);
            if left > 0 {
                references.insert(object.content.as_str(), left)?;
            }
            left
        };
        if left == 0 { self.remove_parts(&object.content, &[]) } else { Ok(()) }
    }

    pub(in crate::standalone::s3) fn put_upload(
        &self,
        bucket: &str,
        key: &str,
        upload_id: &str,
        upload: &Upload,
    ) -> Result<(), Failure> {
        let record = serde_json::to_vec(upload)?;
        self.transaction
            .open_table(UPLOADS)?
            .insert((bucket, key.as_bytes(), upload_id), record.as_slice())?;
        Ok(())
    }

    /// `NoSuchUpload` when it was completed or aborted, or never existed.
    pub(in crate::standalone::s3) fn upload(
        &self,
        bucket: &str,
        key: &str,
        upload_id: &str,
    ) -> Result<Upload, Failure> {
        upload_in(&self.transaction.open_table(UPLOADS)?, bucket, key, upload_id)
    }

    pub(in crate::standalone::s3) fn remove_upload(
        &self,
        bucket: &str,
        key: &str,
        upload_id: &str,
    ) -> Result<(), Failure> {
        self.transaction.open_table(UPLOADS)?.remove((bucket, key.as_bytes(), upload_id))?;
        Ok(())
    }

    /// Makes a written file a part of a content, instead of the part of that number that was there.
    pub(in crate::standalone::s3) fn put_part(
        &mut self,
        content: &str,
        number: u16,
        part: &Part,
        incoming: Incoming,
    ) -> Result<(), Failure> {
        let record = serde_json::to_vec(part)?;
        let replaced: Option<Part> = {
            let mut parts = self.transaction.open_table(PARTS)?;
            let before = parts.insert((content, number), record.as_slice())?;
            before.map(|record| decode(record.value())).transpose()?
        };
        self.transaction.open_table(UNSETTLED)?.remove(part.file.as_str())?;
        self.incoming.push(incoming);
        self.drop_files(content, replaced.into_iter().map(|part| part.file).collect())
    }

    pub(in crate::standalone::s3) fn part(
        &self,
        content: &str,
        number: u16,
    ) -> Result<Option<Part>, Failure> {
        let parts = self.transaction.open_table(PARTS)?;
        parts.get((content, number))?.map(|record| decode(record.value())).transpose()
    }

    /// Removes all parts of a content except those to keep (in ascending order).
    pub(in crate::standalone::s3) fn remove_parts(
        &mut self,
        content: &str,
        keep: &[u16],
    ) -> Result<(), Failure> {
        let mut files = Vec::new();
        {
            let mut parts = self.transaction.open_table(PARTS)?;
            let all = (content, 0)..=(content, u16::MAX);
            for entry in parts.extract_from_if(all, |(_, number), _| keep.binary_search(&number).is_err())? {
                files.push(decode::<Part>(entry?.1.value())?.file);
            }
        }
        self.drop_files(content, files)
    }

    fn drop_files(&mut self, content: &str, files: Vec<String>) -> Result<(), Failure> {
        self.announce(&files)?;
        self.dropped.push((content.to_owned(), files));
        Ok(())
    }
}
