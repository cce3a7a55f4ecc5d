use std::{ops::Range, sync::Arc};

use http::StatusCode;
use s3s::{
    S3Error, S3Response, S3Result,
    dto::{
        self, ChecksumMode, GetObjectInput, GetObjectOutput, HeadObjectInput, HeadObjectOutput, StreamingBlob,
    },
    s3_error,
};

use super::{Answer, require_bucket, signed, strong, timestamp};
use crate::standalone::s3::{
    checksum::{Algorithm, show_checksum},
    conditions::ReadConditions,
    storage::{OBJECTS, Object, Storage, find_object},
};

pub(super) async fn get_object(storage: &Arc<Storage>, input: GetObjectInput) -> Answer<GetObjectOutput> {
    let bucket = input.bucket.clone();
    storage.read(move |snapshot| require_bucket(snapshot, &bucket)).await?;
    let (object, reading) = storage.open_object(input.bucket, input.key).await?;
    let conditions = ReadConditions {
        matches: input.if_match,
        none_matches: input.if_none_match,
        modified_since: input.if_modified_since,
        unmodified_since: input.if_unmodified_since,
    };
    conditions.check(&object)?;
    let (range, content_range) = select(input.range, object.size)?;
    let mut output = GetObjectOutput {
        accept_ranges: Some("bytes".to_owned()),
        content_length: signed(range.end - range.start),
        body: Some(StreamingBlob::wrap(reading.stream(range))),
        cache_control: object.about.cache_control,
        content_disposition: object.about.content_disposition,
        content_encoding: object.about.content_encoding,
        content_language: object.about.content_language,
        content_type: object.about.content_type,
        e_tag: Some(strong(&object.e_tag)),
        last_modified: Some(timestamp(object.modified)),
        metadata: Some(object.about.metadata),
        ..GetObjectOutput::default()
    };
    // Of a part of the bytes the checksum would be wrong.
    if content_range.is_none()
        && wants_checksum(input.checksum_mode.as_ref())
        && let Some(checksum) = object.checksum
    {
        show_checksum!(output, checksum);
        output.checksum_type = Some(checksum.kind());
    }
    output.content_range = content_range;
    Ok(S3Response::new(output))
}

pub(super) async fn head_object(storage: &Arc<Storage>, input: HeadObjectInput) -> Answer<HeadObjectOutput> {
    let (bucket, key) = (input.bucket, input.key);
    let object = storage
        .read(move |snapshot| {
            require_bucket(snapshot, &bucket)?;
            let object = find_object(&snapshot.open_table(OBJECTS)?, &bucket, &key)?;
            Ok(object.ok_or_else(|| s3_error!(NoSuchKey))?)
        })
        .await?;
    let conditions = ReadConditions {
        matches: input.if_match,
        none_matches: input.if_none_match,
        modified_since: input.if_modified_since,
        unmodified_since: input.if_unmodified_since,
    };
    conditions.check(&object)?;
    let (range, content_range) = select(input.range, object.size)?;
    let status = if content_range.is_some() { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
    let mut output = described(object, wants_checksum(input.checksum_mode.as_ref()));
    output.content_length = signed(range.end - range.start);
    output.content_range = content_range;
    // What the query overrides; for a GET, s3s does it.
    let overridden = [
        (&mut output.cache_control, input.response_cache_control),
        (&mut output.content_disposition, input.response_content_disposition),
        (&mut output.content_encoding, input.response_content_encoding),
        (&mut output.content_language, input.response_content_language),
        (&mut output.content_type, input.response_content_type),
    ];
    for (header, wished) in overridden {
        if wished.is_some() {
            *header = wished;
        }
    }
    Ok(S3Response::with_status(output, status))
}

fn described(object: Object, with_checksum: bool) -> HeadObjectOutput {
    let mut output = HeadObjectOutput {
        accept_ranges: Some("bytes".to_owned()),
        cache_control: object.about.cache_control,
        content_disposition: object.about.content_disposition,
        content_encoding: object.about.content_encoding,
        content_language: object.about.content_language,
        content_type: object.about.content_type,
        e_tag: Some(strong(&object.e_tag)),
        last_modified: Some(timestamp(object.modified)),
        metadata: Some(object.about.metadata),
        ..HeadObjectOutput::default()
    };
    if with_checksum && let Some(checksum) = object.checksum {
        show_checksum!(output, checksum);
        output.checksum_type = Some(checksum.kind());
    }
    output
}

fn wants_checksum(mode: Option<&ChecksumMode>) -> bool {
    mode.is_some_and(|mode| mode.as_str() == ChecksumMode::ENABLED)
}

/// The bytes to send, and the `Content-Range` if they aren't all; `InvalidRange` (416) outside.
fn select(range: Option<dto::Range>, size: u64) -> S3Result<(Range<u64>, Option<String>)> {
    let Some(range) = range else { return Ok((0..size, None)) };
    let range = range.check(size).map_err(S3Error::from)?;
    if range.is_empty() {
        return Err(s3_error!(InvalidRange));
    }
    let content_range = format!("bytes {}-{}/{size}", range.start, range.end - 1);
    Ok((range, Some(content_range)))
}
