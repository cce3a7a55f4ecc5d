//! What lies in the bucket, a page at a time.

use chrono::{DateTime, Utc};

use super::{BlobError, Blobs};

/// An object, as a list shows it.
#[derive(Clone, Debug)]
pub struct ListedObject {
    pub key: String,
    pub modified_at: DateTime<Utc>,
}

/// Up to 1,000 objects, by key.
#[derive(Clone, Debug)]
pub struct ObjectPage {
    pub objects: Vec<ListedObject>,
    /// For the next page; `None`: this was the last one.
    pub next: Option<String>,
}

/// A multipart upload that was begun, and neither completed nor aborted.
#[derive(Clone, Debug)]
pub struct ListedUpload {
    pub place: UploadPlace,
    pub initiated_at: DateTime<Utc>,
}

/// Which multipart upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadPlace {
    pub key: String,
    pub multipart_id: String,
}

/// Up to 1,000 unfinished multipart uploads, by key.
#[derive(Clone, Debug)]
pub struct UploadPage {
    pub uploads: Vec<ListedUpload>,
    /// For the next page; `None`: this was the last one.
    pub next: Option<UploadPlace>,
}

impl Blobs {
    /// A page of all objects.
    pub async fn list_objects(&self, next: Option<String>) -> Result<ObjectPage, BlobError> {
        let request = self.internal.list_objects_v2().bucket(&*self.bucket);
        let page = request.set_continuation_token(next).send().await?;
        let objects = page.contents().iter().filter_map(|object| {
            Some(ListedObject { key: object.key()?.to_owned(), modified_at: time(object.last_modified()?)? })
        });
        let objects = objects.collect();
        let more = page.is_truncated == Some(true);
        Ok(ObjectPage { objects, next: page.next_continuation_token.filter(|_| more) })
    }

    /// A page of all unfinished multipart uploads.
    pub async fn list_multiparts(&self, next: Option<UploadPlace>) -> Result<UploadPage, BlobError> {
        let (key, id) = next.map(|place| (place.key, place.multipart_id)).unzip();
        let request = self.internal.list_multipart_uploads().bucket(&*self.bucket);
        let page = request.set_key_marker(key).set_upload_id_marker(id).send().await?;
        let uploads = page.uploads().iter().filter_map(|upload| {
            let place =
                UploadPlace { key: upload.key()?.to_owned(), multipart_id: upload.upload_id()?.to_owned() };
            Some(ListedUpload { place, initiated_at: time(upload.initiated()?)? })
        });
        let uploads = uploads.collect();
        let more = page.is_truncated == Some(true);
        let next = page.next_key_marker.zip(page.next_upload_id_marker).filter(|_| more);
        Ok(UploadPage { uploads, next: next.map(|(key, multipart_id)| UploadPlace { key, multipart_id }) })
    }
}

fn time(time: &aws_sdk_s3::primitives::DateTime) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(time.secs(), time.subsec_nanos())
}
