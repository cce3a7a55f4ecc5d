use std::{ops::Bound, sync::Arc};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use redb::ReadTransaction;
use s3s::{
    S3Response, S3Result,
    dto::{self, CommonPrefix, EncodingType, ListObjectsV2Input, ListObjectsV2Output, ObjectStorageClass},
    s3_error,
};

use super::{Answer, page_size, require_bucket, signed, strong, timestamp};
use crate::standalone::s3::storage::{Failure, OBJECTS, Object, Storage, decode};

/// Lists in the order of the keys' bytes, a page at a time. A continuation token is the first key that the
/// next page may show, so it stays valid whatever is written or deleted meanwhile.
pub(super) async fn list_objects(
    storage: &Arc<Storage>,
    input: ListObjectsV2Input,
) -> Answer<ListObjectsV2Output> {
    let (entries, max_keys) = page_size(input.max_keys)?;
    let encoded = encodes(input.encoding_type.as_ref())?;
    let prefix = input.prefix.clone().unwrap_or_default();
    let start = match (&input.continuation_token, &input.start_after) {
        (Some(token), _) => BASE64_URL_SAFE_NO_PAD
            .decode(token)
            .map_err(|_| s3_error!(InvalidArgument, "Not our continuation token"))?,
        (None, Some(key)) => after_key(key.as_bytes()),
        (None, None) => Vec::new(),
    };
    let walk = Walk {
        bucket: input.bucket.clone(),
        delimiter: input.delimiter.clone().unwrap_or_default(),
        start: start.max(prefix.clone().into_bytes()),
        prefix,
        entries,
    };
    let page = storage.read(move |snapshot| walk.page(snapshot)).await?;

    let show = |text: String| if encoded { url_encoded(&text) } else { text };
    Ok(S3Response::new(ListObjectsV2Output {
        name: Some(input.bucket),
        prefix: Some(show(input.prefix.unwrap_or_default())),
        delimiter: input.delimiter.map(show),
        start_after: input.start_after.map(show),
        continuation_token: input.continuation_token,
        encoding_type: input.encoding_type,
        max_keys: Some(max_keys),
        key_count: i32::try_from(page.objects.len() + page.prefixes.len()).ok(),
        is_truncated: Some(page.next.is_some()),
        next_continuation_token: page.next.map(|next| BASE64_URL_SAFE_NO_PAD.encode(next)),
        contents: Some(page.objects.into_iter().map(|(key, object)| describe(show(key), &object)).collect()),
        common_prefixes: Some(
            page.prefixes.into_iter().map(|prefix| CommonPrefix { prefix: Some(show(prefix)) }).collect(),
        ),
        ..ListObjectsV2Output::default()
    }))
}

struct Walk {
    bucket: String,
    prefix: String,
    delimiter: String,
    /// The first key to consider, at least the prefix.
    start: Vec<u8>,
    entries: usize,
}

#[derive(Default)]
struct Page {
    objects: Vec<(String, Object)>,
    prefixes: Vec<String>,
    /// Where the next page starts, if there is one.
    next: Option<Vec<u8>>,
}

impl Walk {
    fn page(mut self, snapshot: &ReadTransaction) -> Result<Page, Failure> {
        require_bucket(snapshot, &self.bucket)?;
        let objects = snapshot.open_table(OBJECTS)?;
        let mut page = Page::default();
        if self.entries == 0 {
            return Ok(page);
        }
        loop {
            // One seek per common prefix: the keys below it aren't read.
            let start = (self.bucket.as_str(), self.start.as_slice());
            let range = objects.range::<(&str, &[u8])>((Bound::Included(start), Bound::Unbounded))?;
            let mut seek = None;
            for entry in range {
                let (found, record) = entry?;
                let (bucket, key) = found.value();
                if bucket != self.bucket || !key.starts_with(self.prefix.as_bytes()) {
                    return Ok(page);
                }
                if page.objects.len() + page.prefixes.len() == self.entries {
                    page.next = Some(key.to_vec());
                    return Ok(page);
                }
                let key = String::from_utf8_lossy(key).into_owned();
                if let Some(common) = self.common_prefix(&key) {
                    seek = Some(after_prefix(common.as_bytes()));
                    page.prefixes.push(common);
                    break;
                }
                page.objects.push((key, decode(record.value())?));
            }
            match seek {
                Some(start) => self.start = start,
                None => return Ok(page),
            }
        }
    }

    fn common_prefix(&self, key: &str) -> Option<String> {
        if self.delimiter.is_empty() {
            return None;
        }
        let end = self.prefix.len() + key[self.prefix.len()..].find(&self.delimiter)? + self.delimiter.len();
        Some(key[..end].to_owned())
    }
}

/// The first key after a key.
fn after_key(key: &[u8]) -> Vec<u8> {
    [key, &[0]].concat()
}

/// The first key after all that start with a prefix. UTF-8 has no byte 0xFF, so the sum can't overflow.
fn after_prefix(prefix: &[u8]) -> Vec<u8> {
    let mut next = prefix.to_vec();
    if let Some(last) = next.last_mut() {
        *last += 1;
    }
    next
}

fn describe(key: String, object: &Object) -> dto::Object {
    dto::Object {
        key: Some(key),
        e_tag: Some(strong(&object.e_tag)),
        size: signed(object.size),
        last_modified: Some(timestamp(object.modified)),
        checksum_algorithm: object.checksum.as_ref().map(|checksum| vec![checksum.algorithm.name()]),
        checksum_type: object.checksum.as_ref().map(crate::standalone::s3::checksum::Checksum::kind),
        storage_class: Some(ObjectStorageClass::from_static(ObjectStorageClass::STANDARD)),
        ..dto::Object::default()
    }
}

/// Whether the client asked for URL-encoded keys.
pub(super) fn encodes(encoding: Option<&EncodingType>) -> S3Result<bool> {
    match encoding.map(EncodingType::as_str) {
        None => Ok(false),
        Some(EncodingType::URL) => Ok(true),
        Some(_) => Err(s3_error!(InvalidArgument, "The encoding type is url")),
    }
}

/// As S3 encodes keys in lists: slashes stay, a blank is `+`.
pub(super) fn url_encoded(text: &str) -> String {
    let encoded: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
    encoded.replace("%2F", "/")
}
