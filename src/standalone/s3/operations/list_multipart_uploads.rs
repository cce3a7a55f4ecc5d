use std::{ops::Bound, sync::Arc};

use redb::ReadTransaction;
use s3s::{
    S3Response,
    dto::{ListMultipartUploadsInput, ListMultipartUploadsOutput, MultipartUpload},
    s3_error,
};

use super::{
    Answer,
    list_objects::{encodes, url_encoded},
    page_size, require_bucket, timestamp,
};
use crate::standalone::s3::{
    checksum::Algorithm,
    storage::{Failure, Storage, UPLOADS, Upload, decode},
};

/// Lists by key, and the uploads of one key by their id.
pub(super) async fn list_multipart_uploads(
    storage: &Arc<Storage>,
    input: ListMultipartUploadsInput,
) -> Answer<ListMultipartUploadsOutput> {
    if input.delimiter.is_some() {
        return Err(s3_error!(NotImplemented, "Uploads are not grouped"));
    }
    let (entries, max_uploads) = page_size(input.max_uploads)?;
    let encoded = encodes(input.encoding_type.as_ref())?;
    let walk = Walk {
        bucket: input.bucket.clone(),
        prefix: input.prefix.clone().unwrap_or_default(),
        key_marker: input.key_marker.clone(),
        upload_id_marker: input.upload_id_marker.clone(),
        entries,
    };
    let (mut uploads, is_truncated) = storage.read(move |snapshot| walk.page(snapshot)).await?;

    let show = |text: String| if encoded { url_encoded(&text) } else { text };
    for upload in &mut uploads {
        upload.key = upload.key.take().map(show);
    }
    let last = uploads.last().filter(|_| is_truncated);
    Ok(S3Response::new(ListMultipartUploadsOutput {
        next_key_marker: last.and_then(|upload| upload.key.clone()),
        next_upload_id_marker: last.and_then(|upload| upload.upload_id.clone()),
        bucket: Some(input.bucket),
        prefix: input.prefix.map(show),
        key_marker: input.key_marker.map(show),
        upload_id_marker: input.upload_id_marker,
        encoding_type: input.encoding_type,
        max_uploads: Some(max_uploads),
        is_truncated: Some(is_truncated),
        uploads: Some(uploads),
        ..ListMultipartUploadsOutput::default()
    }))
}

struct Walk {
    bucket: String,
    prefix: String,
    key_marker: Option<String>,
    upload_id_marker: Option<String>,
    entries: usize,
}

impl Walk {
    /// A page, and whether more follows.
    fn page(self, snapshot: &ReadTransaction) -> Result<(Vec<MultipartUpload>, bool), Failure> {
        require_bucket(snapshot, &self.bucket)?;
        let stored = snapshot.open_table(UPLOADS)?;
        let marker = self.key_marker.unwrap_or_default().into_bytes();
        // Without an upload id the marker's own uploads are skipped, too: ids are hex, `~` sorts after them.
        let skipped = self.upload_id_marker.unwrap_or_else(|| "~".to_owned());
        let start = if marker.as_slice() < self.prefix.as_bytes() {
            Bound::Included((self.bucket.as_str(), self.prefix.as_bytes(), ""))
        } else {
            Bound::Excluded((self.bucket.as_str(), marker.as_slice(), skipped.as_str()))
        };
        let mut uploads = Vec::new();
        for entry in stored.range::<(&str, &[u8], &str)>((start, Bound::Unbounded))? {
            let (place, record) = entry?;
            let (bucket, key, upload_id) = place.value();
            if bucket != self.bucket || !key.starts_with(self.prefix.as_bytes()) {
                break;
            }
            if uploads.len() == self.entries {
                return Ok((uploads, true));
            }
            uploads.push(describe(key, upload_id, &decode(record.value())?));
        }
        Ok((uploads, false))
    }
}

fn describe(key: &[u8], upload_id: &str, upload: &Upload) -> MultipartUpload {
    MultipartUpload {
        key: Some(String::from_utf8_lossy(key).into_owned()),
        upload_id: Some(upload_id.to_owned()),
        initiated: Some(timestamp(upload.initiated)),
        checksum_algorithm: upload.algorithm.map(Algorithm::name),
        ..MultipartUpload::default()
    }
}
