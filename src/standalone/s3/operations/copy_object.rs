use std::sync::Arc;

use s3s::{
    S3Request, S3Response, S3Result,
    dto::{CopyObjectInput, CopyObjectOutput, CopyObjectResult, CopySource, MetadataDirective},
    s3_error,
};

use super::{Answer, strong, timestamp};
use crate::standalone::s3::{
    checksum::{Algorithm, show_checksum},
    conditions::{ReadConditions, WriteConditions},
    storage::{About, Object, Storage},
};

/// A copy shows the content of its source: no byte is moved, and entity tag and checksum stay.
pub(super) async fn copy_object(
    storage: &Arc<Storage>,
    req: S3Request<CopyObjectInput>,
) -> Answer<CopyObjectOutput> {
    let target = WriteConditions::from_headers(&req.headers)?;
    let mut input = req.input;
    let (from_bucket, from_key) = source(&input.copy_source)?;
    let conditions = ReadConditions {
        matches: input.copy_source_if_match.take(),
        none_matches: input.copy_source_if_none_match.take(),
        modified_since: input.copy_source_if_modified_since.take(),
        unmodified_since: input.copy_source_if_unmodified_since.take(),
    };
    let algorithm = input.checksum_algorithm.as_ref().map(Algorithm::parse).transpose()?;
    let about = replaced_about(&mut input)?;
    if about.is_none() && input.bucket == from_bucket && input.key == from_key {
        return Err(s3_error!(InvalidRequest, "A copy onto itself must replace the metadata"));
    }

    let modified = storage.now();
    let copy = storage
        .write(move |change| {
            let found = change.object(&from_bucket, &from_key)?;
            let from = found.ok_or_else(|| s3_error!(NoSuchKey))?;
            conditions.check_source(&from)?;
            if algorithm
                .is_some_and(|wished| from.checksum.as_ref().is_none_or(|kept| kept.algorithm != wished))
            {
                return Err(s3_error!(NotImplemented, "A copy keeps the checksum of its source").into());
            }
            target.check(change.object(&input.bucket, &input.key)?.as_ref())?;
            let copy = Object { modified, about: about.unwrap_or_else(|| from.about.clone()), ..from };
            change.put_object(&input.bucket, &input.key, &copy)?;
            Ok(copy)
        })
        .await?;
    let mut result = CopyObjectResult {
        e_tag: Some(strong(&copy.e_tag)),
        last_modified: Some(timestamp(copy.modified)),
        ..CopyObjectResult::default()
    };
    if let Some(checksum) = copy.checksum {
        show_checksum!(result, checksum);
        result.checksum_type = Some(checksum.kind());
    }
    Ok(S3Response::new(CopyObjectOutput { copy_object_result: Some(result), ..CopyObjectOutput::default() }))
}

fn source(source: &CopySource) -> S3Result<(String, String)> {
    match source {
        CopySource::Bucket { bucket, key, version_id: None } => Ok((bucket.to_string(), key.to_string())),
        _ => Err(s3_error!(NotImplemented, "There are no versions and no access points")),
    }
}

fn replaced_about(input: &mut CopyObjectInput) -> S3Result<Option<About>> {
    match input.metadata_directive.as_ref().map_or(MetadataDirective::COPY, MetadataDirective::as_str) {
        MetadataDirective::COPY => Ok(None),
        MetadataDirective::REPLACE => Ok(Some(About {
            cache_control: input.cache_control.take(),
            content_disposition: input.content_disposition.take(),
            content_encoding: input.content_encoding.take(),
            content_language: input.content_language.take(),
            content_type: input.content_type.take(),
            metadata: input.metadata.take().unwrap_or_default(),
        })),
        _ => Err(s3_error!(InvalidArgument, "The metadata directive is COPY or REPLACE")),
    }
}
