use std::sync::Arc;

use s3s::{
    S3Request, S3Response,
    dto::{PutObjectInput, PutObjectOutput},
};

use super::{Answer, signed, strong};
use crate::standalone::s3::{
    checksum::{Algorithm, given_checksum, show_checksum},
    conditions::WriteConditions,
    receive::{Claims, receive},
    storage::{About, Object, Storage, new_id},
};

pub(super) async fn put_object(
    storage: &Arc<Storage>,
    req: S3Request<PutObjectInput>,
) -> Answer<PutObjectOutput> {
    let input = req.input;
    let claims = Claims::new(
        &req.headers,
        input.content_length,
        input.content_md5.clone(),
        given_checksum!(input)?,
        input.checksum_algorithm.as_ref().map(Algorithm::parse).transpose()?,
        req.trailing_headers,
    )?;
    let (incoming, part) = receive(storage, input.body, claims).await?;

    let conditions = WriteConditions { matches: input.if_match, none_matches: input.if_none_match };
    let object = Object {
        content: new_id(),
        size: part.size,
        e_tag: part.e_tag.clone(),
        modified: part.modified,
        checksum: Some(part.checksum.clone()),
        about: About {
            cache_control: input.cache_control,
            content_disposition: input.content_disposition,
            content_encoding: input.content_encoding.as_deref().and_then(without_framing),
            content_language: input.content_language,
            content_type: input.content_type,
            metadata: input.metadata.unwrap_or_default(),
        },
    };
    let mut output = PutObjectOutput {
        e_tag: Some(strong(&object.e_tag)),
        size: signed(object.size),
        checksum_type: Some(part.checksum.kind()),
        ..PutObjectOutput::default()
    };
    show_checksum!(output, part.checksum);
    storage
        .write(move |change| {
            conditions.check(change.object(&input.bucket, &input.key)?.as_ref())?;
            change.put_part(&object.content, 1, &part, incoming)?;
            change.put_object(&input.bucket, &input.key, &object)
        })
        .await?;
    Ok(S3Response::new(output))
}

/// `aws-chunked` describes the request's body, not the object.
fn without_framing(content_encoding: &str) -> Option<String> {
    let kept: Vec<&str> = content_encoding
        .split(',')
        .map(str::trim)
        .filter(|encoding| !encoding.is_empty() && *encoding != "aws-chunked")
        .collect();
    (!kept.is_empty()).then(|| kept.join(","))
}
