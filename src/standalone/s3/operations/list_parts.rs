use std::sync::Arc;

use s3s::{
    S3Response,
    dto::{self, ListPartsInput, ListPartsOutput},
    s3_error,
};

use super::{Answer, page_size, signed, strong, timestamp};
use crate::standalone::s3::{
    checksum::{Algorithm, show_checksum},
    storage::{PARTS, Part, Storage, decode, find_upload},
};

pub(super) async fn list_parts(storage: &Arc<Storage>, input: ListPartsInput) -> Answer<ListPartsOutput> {
    let (entries, max_parts) = page_size(input.max_parts)?;
    let marker = u16::try_from(input.part_number_marker.unwrap_or(0))
        .map_err(|_| s3_error!(InvalidArgument, "Not a part number marker"))?;
    let (bucket, key, id) = (input.bucket.clone(), input.key.clone(), input.upload_id.clone());
    let (upload, parts, is_truncated) = storage
        .read(move |snapshot| {
            let upload = find_upload(snapshot, &bucket, &key, &id)?;
            let stored = snapshot.open_table(PARTS)?;
            let mut rest = stored.range((id.as_str(), marker.saturating_add(1))..=(id.as_str(), u16::MAX))?;
            let mut parts = Vec::new();
            for entry in rest.by_ref().take(entries) {
                let (place, record) = entry?;
                parts.push(describe(place.value().1, &decode(record.value())?));
            }
            Ok((upload, parts, rest.next().is_some()))
        })
        .await?;
    Ok(S3Response::new(ListPartsOutput {
        bucket: Some(input.bucket),
        key: Some(input.key),
        upload_id: Some(input.upload_id),
        checksum_algorithm: upload.algorithm.map(Algorithm::name),
        max_parts: Some(max_parts),
        part_number_marker: input.part_number_marker,
        next_part_number_marker: parts.last().and_then(|part| part.part_number),
        is_truncated: Some(is_truncated),
        parts: Some(parts),
        ..ListPartsOutput::default()
    }))
}

fn describe(number: u16, part: &Part) -> dto::Part {
    let mut output = dto::Part {
        part_number: Some(number.into()),
        e_tag: Some(strong(&part.e_tag)),
        size: signed(part.size),
        last_modified: Some(timestamp(part.modified)),
        ..dto::Part::default()
    };
    show_checksum!(output, part.checksum);
    output
}
