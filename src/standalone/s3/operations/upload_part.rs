use std::sync::Arc;

use s3s::{
    S3Request, S3Response, S3Result,
    dto::{UploadPartInput, UploadPartOutput},
    s3_error,
};

use super::{Answer, strong};
use crate::standalone::s3::{
    checksum::{Algorithm, given_checksum, show_checksum},
    receive::{Claims, receive},
    storage::{Storage, Upload, find_upload},
};

/// The highest number of a part, as in S3.
pub(super) const LAST_PART: u16 = 10_000;

pub(super) async fn upload_part(
    storage: &Arc<Storage>,
    req: S3Request<UploadPartInput>,
) -> Answer<UploadPartOutput> {
    let input = req.input;
    let number = part_number(input.part_number)?;
    let (bucket, key, id) = (input.bucket.clone(), input.key.clone(), input.upload_id.clone());
    let upload: Upload = storage.read(move |snapshot| find_upload(snapshot, &bucket, &key, &id)).await?;

    let named = input.checksum_algorithm.as_ref().map(Algorithm::parse).transpose()?;
    if let (Some(named), Some(agreed)) = (named, upload.algorithm)
        && named != agreed
    {
        return Err(s3_error!(InvalidRequest, "The upload was created with another checksum algorithm"));
    }
    let claims = Claims::new(
        &req.headers,
        input.content_length,
        input.content_md5.clone(),
        given_checksum!(input)?,
        named.or(upload.algorithm),
        req.trailing_headers,
    )?;
    let (incoming, part) = receive(storage, input.body, claims).await?;

    let mut output = UploadPartOutput { e_tag: Some(strong(&part.e_tag)), ..UploadPartOutput::default() };
    show_checksum!(output, part.checksum);
    storage
        .write(move |change| {
            // It may have been completed or aborted while the bytes came in.
            change.upload(&input.bucket, &input.key, &input.upload_id)?;
            change.put_part(&input.upload_id, number, &part, incoming)
        })
        .await?;
    Ok(S3Response::new(output))
}

pub(super) fn part_number(number: i32) -> S3Result<u16> {
    let number = u16::try_from(number).ok().filter(|number| (1..=LAST_PART).contains(number));
    number.ok_or_else(|| s3_error!(InvalidArgument, "Part numbers are 1 to {LAST_PART}"))
}
