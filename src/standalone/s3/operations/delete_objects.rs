use std::sync::Arc;

use s3s::{
    S3Error, S3Response,
    dto::{
        DeleteObjectInput, DeleteObjectOutput, DeleteObjectsInput, DeleteObjectsOutput, DeletedObject,
        ETagCondition, Error,
    },
    s3_error,
};

use super::Answer;
use crate::standalone::s3::{
    conditions::WriteConditions,
    storage::{Change, Failure, Storage},
};

/// The most keys that one request may name, as in S3.
const MOST: usize = 1000;

/// Deleting what isn't there succeeds, too.
pub(super) async fn delete_object(
    storage: &Arc<Storage>,
    input: DeleteObjectInput,
) -> Answer<DeleteObjectOutput> {
    storage.write(move |change| remove(change, &input.bucket, &input.key, input.if_match)).await?;
    Ok(S3Response::new(DeleteObjectOutput::default()))
}

pub(super) async fn delete_objects(
    storage: &Arc<Storage>,
    input: DeleteObjectsInput,
) -> Answer<DeleteObjectsOutput> {
    if input.delete.objects.len() > MOST {
        return Err(s3_error!(MalformedXML, "At most {MOST} keys"));
    }
    let quiet = input.delete.quiet.unwrap_or(false);
    let (deleted, errors) = storage
        .write(move |change| {
            let mut deleted = Vec::new();
            let mut errors = Vec::new();
            for object in input.delete.objects {
                match remove(change, &input.bucket, &object.key, object.e_tag.map(ETagCondition::ETag)) {
                    Ok(()) => {
                        deleted.push(DeletedObject { key: Some(object.key), ..DeletedObject::default() });
                    }
                    Err(Failure::Refused(refusal)) => errors.push(describe(object.key, &refusal)),
                    Err(fault) => return Err(fault),
                }
            }
            Ok((deleted, errors))
        })
        .await?;
    Ok(S3Response::new(DeleteObjectsOutput {
        deleted: (!quiet).then_some(deleted),
        errors: Some(errors),
        ..DeleteObjectsOutput::default()
    }))
}

fn remove(
    change: &mut Change,
    bucket: &str,
    key: &str,
    matches: Option<ETagCondition>,
) -> Result<(), Failure> {
    let present = change.object(bucket, key)?;
    WriteConditions { matches, none_matches: None }.check(present.as_ref())?;
    change.remove_object(bucket, key)
}

fn describe(key: String, refusal: &S3Error) -> Error {
    Error {
        code: Some(refusal.code().as_str().to_owned()),
        key: Some(key),
        message: refusal.message().map(str::to_owned),
        version_id: None,
    }
}
