use std::sync::Arc;

use s3s::{
    S3Response, S3Result,
    crypto::{Checksum as _, Md5},
    dto::{CompleteMultipartUploadInput, CompleteMultipartUploadOutput, CompletedPart},
    s3_error,
};

use super::{Answer, strong, upload_part::part_number};
use crate::standalone::s3::{
    checksum::{Algorithm, Checksum, given_checksum, show_checksum},
    conditions::WriteConditions,
    storage::{Change, Failure, Object, Part, Storage},
};

/// The least size of every part but the last, as in S3.
const SMALLEST_PART: u64 = 5 * 1024 * 1024;

/// The parts become the content of the object as they lie: nothing is copied, one commit does it all.
pub(super) async fn complete_multipart_upload(
    storage: &Arc<Storage>,
    mut input: CompleteMultipartUploadInput,
) -> Answer<CompleteMultipartUploadOutput> {
    let listed = input.multipart_upload.take().and_then(|upload| upload.parts).unwrap_or_default();
    let numbers = ascending_numbers(&listed)?;
    let whole = given_checksum!(input)?;
    let conditions =
        WriteConditions { matches: input.if_match.take(), none_matches: input.if_none_match.take() };
    let modified = storage.now();
    let mut output = CompleteMultipartUploadOutput {
        bucket: Some(input.bucket.clone()),
        key: Some(input.key.clone()),
        location: Some(format!("/{}/{}", input.bucket, input.key)),
        ..CompleteMultipartUploadOutput::default()
    };
    let object = storage
        .write(move |change| {
            let upload = change.upload(&input.bucket, &input.key, &input.upload_id)?;
            conditions.check(change.object(&input.bucket, &input.key)?.as_ref())?;
            let parts = check_parts(change, &input.upload_id, &numbers, &listed)?;
            let object = Object {
                size: parts.iter().map(|part| part.size).sum(),
                e_tag: e_tag_of_parts(&parts)?,
                checksum: Checksum::of_parts(&parts, upload.full_object)?,
                content: input.upload_id,
                modified,
                about: upload.about,
            };
            check_whole(&object, input.mpu_object_size, whole.as_ref())?;
            change.remove_parts(&object.content, &numbers)?;
            change.remove_upload(&input.bucket, &input.key, &object.content)?;
            change.put_object(&input.bucket, &input.key, &object)?;
            Ok(object)
        })
        .await?;
    output.e_tag = Some(strong(&object.e_tag));
    if let Some(checksum) = object.checksum {
        show_checksum!(output, checksum);
        output.checksum_type = Some(checksum.kind());
    }
    Ok(S3Response::new(output))
}

fn ascending_numbers(listed: &[CompletedPart]) -> S3Result<Vec<u16>> {
    let numbers = listed.iter().map(|part| part_number(part.part_number.unwrap_or(0)));
    let numbers: Vec<u16> = numbers.collect::<S3Result<_>>()?;
    if numbers.is_empty() {
        return Err(s3_error!(MalformedXML, "There must be at least one part"));
    }
    if !numbers.is_sorted_by(|before, after| before < after) {
        return Err(s3_error!(InvalidPartOrder));
    }
    Ok(numbers)
}

/// The stored parts, if they are the listed ones.
fn check_parts(
    change: &Change,
    upload_id: &str,
    numbers: &[u16],
    listed: &[CompletedPart],
) -> Result<Vec<Part>, Failure> {
    let mut parts: Vec<Part> = Vec::with_capacity(numbers.len());
    for (&number, claimed) in numbers.iter().zip(listed) {
        let stored = change.part(upload_id, number)?.ok_or_else(|| s3_error!(InvalidPart))?;
        let same_tag = claimed.e_tag.as_ref().is_some_and(|tag| tag.value() == stored.e_tag);
        let same_sum = given_checksum!(claimed)?.is_none_or(|(algorithm, value)| {
            algorithm == stored.checksum.algorithm && value == stored.checksum.value
        });
        if !same_tag || !same_sum {
            return Err(s3_error!(InvalidPart).into());
        }
        if parts.last().is_some_and(|before| before.size < SMALLEST_PART) {
            return Err(s3_error!(EntityTooSmall).into());
        }
        parts.push(stored);
    }
    Ok(parts)
}

fn e_tag_of_parts(parts: &[Part]) -> S3Result<String> {
    let mut md5 = Md5::new();
    for part in parts {
        md5.update(&hex::decode(&part.e_tag).map_err(s3s::S3Error::internal_error)?);
    }
    Ok(format!("{}-{}", hex::encode(md5.finalize()), parts.len()))
}

fn check_whole(object: &Object, size: Option<i64>, claimed: Option<&(Algorithm, String)>) -> S3Result<()> {
    if size.is_some_and(|size| u64::try_from(size) != Ok(object.size)) {
        return Err(s3_error!(InvalidRequest, "The object is not of that size"));
    }
    let Some((algorithm, value)) = claimed else { return Ok(()) };
    match &object.checksum {
        Some(known) if known.algorithm == *algorithm && known.value == *value => Ok(()),
        _ => Err(s3_error!(BadDigest, "The checksum is not the object's")),
    }
}
