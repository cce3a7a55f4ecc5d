//! The S3 operations that we serve; every other one answers `NotImplemented`.

mod abort_multipart_upload;
mod complete_multipart_upload;
mod copy_object;
mod create_multipart_upload;
mod delete_objects;
mod get_object;
mod list_multipart_uploads;
mod list_objects;
mod list_parts;
mod put_object;
mod upload_part;

use std::{sync::Arc, time::SystemTime};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use redb::ReadTransaction;
use s3s::{
    S3, S3Request, S3Response, S3Result,
    dto::{
        AbortMultipartUploadInput, AbortMultipartUploadOutput, CompleteMultipartUploadInput,
        CompleteMultipartUploadOutput, CopyObjectInput, CopyObjectOutput, CreateBucketInput,
        CreateBucketOutput, CreateMultipartUploadInput, CreateMultipartUploadOutput, DeleteObjectInput,
        DeleteObjectOutput, DeleteObjectsInput, DeleteObjectsOutput, ETag, GetObjectInput, GetObjectOutput,
        HeadBucketInput, HeadBucketOutput, HeadObjectInput, HeadObjectOutput, ListMultipartUploadsInput,
        ListMultipartUploadsOutput, ListObjectsV2Input, ListObjectsV2Output, ListPartsInput, ListPartsOutput,
        PostObjectInput, PostObjectOutput, PutObjectInput, PutObjectOutput, Timestamp, UploadPartInput,
        UploadPartOutput,
    },
    s3_error,
};

use super::storage::{BUCKETS, Failure, Storage};

/// The most entries that one answer lists.
const PAGE: i32 = 1000;

pub(super) struct Operations(pub Arc<Storage>);

/// What every operation answers with.
type Answer<T> = S3Result<S3Response<T>>;

#[async_trait]
impl S3 for Operations {
    async fn create_bucket(&self, req: S3Request<CreateBucketInput>) -> Answer<CreateBucketOutput> {
        let location = Some(format!("/{}", req.input.bucket));
        self.0.write(move |change| change.create_bucket(&req.input.bucket)).await?;
        Ok(S3Response::new(CreateBucketOutput { location }))
    }

    async fn head_bucket(&self, req: S3Request<HeadBucketInput>) -> Answer<HeadBucketOutput> {
        self.0.read(move |snapshot| require_bucket(snapshot, &req.input.bucket)).await?;
        Ok(S3Response::new(HeadBucketOutput::default()))
    }

    async fn put_object(&self, req: S3Request<PutObjectInput>) -> Answer<PutObjectOutput> {
        put_object::put_object(&self.0, req).await
    }

    /// Form uploads are none of our clients' ways; the trait would turn them into `PutObject`.
    async fn post_object(&self, _: S3Request<PostObjectInput>) -> Answer<PostObjectOutput> {
        Err(s3_error!(NotImplemented))
    }

    async fn get_object(&self, req: S3Request<GetObjectInput>) -> Answer<GetObjectOutput> {
        get_object::get_object(&self.0, req.input).await
    }

    async fn head_object(&self, req: S3Request<HeadObjectInput>) -> Answer<HeadObjectOutput> {
        get_object::head_object(&self.0, req.input).await
    }

    async fn delete_object(&self, req: S3Request<DeleteObjectInput>) -> Answer<DeleteObjectOutput> {
        delete_objects::delete_object(&self.0, req.input).await
    }

    async fn delete_objects(&self, req: S3Request<DeleteObjectsInput>) -> Answer<DeleteObjectsOutput> {
        delete_objects::delete_objects(&self.0, req.input).await
    }

    async fn copy_object(&self, req: S3Request<CopyObjectInput>) -> Answer<CopyObjectOutput> {
        copy_object::copy_object(&self.0, req).await
    }

    async fn list_objects_v2(&self, req: S3Request<ListObjectsV2Input>) -> Answer<ListObjectsV2Output> {
        list_objects::list_objects(&self.0, req.input).await
    }

    async fn create_multipart_upload(
        &self,
        req: S3Request<CreateMultipartUploadInput>,
    ) -> Answer<CreateMultipartUploadOutput> {
        create_multipart_upload::create_multipart_upload(&self.0, req.input).await
    }

    async fn upload_part(&self, req: S3Request<UploadPartInput>) -> Answer<UploadPartOutput> {
        upload_part::upload_part(&self.0, req).await
    }

    async fn list_parts(&self, req: S3Request<ListPartsInput>) -> Answer<ListPartsOutput> {
        list_parts::list_parts(&self.0, req.input).await
    }

    async fn complete_multipart_upload(
        &self,
        req: S3Request<CompleteMultipartUploadInput>,
    ) -> Answer<CompleteMultipartUploadOutput> {
        complete_multipart_upload::complete_multipart_upload(&self.0, req.input).await
    }

    async fn abort_multipart_upload(
        &self,
        req: S3Request<AbortMultipartUploadInput>,
    ) -> Answer<AbortMultipartUploadOutput> {
        abort_multipart_upload::abort_multipart_upload(&self.0, req.input).await
    }

    async fn list_multipart_uploads(
        &self,
        req: S3Request<ListMultipartUploadsInput>,
    ) -> Answer<ListMultipartUploadsOutput> {
        list_multipart_uploads::list_multipart_uploads(&self.0, req.input).await
    }
}

fn require_bucket(snapshot: &ReadTransaction, bucket: &str) -> Result<(), Failure> {
    match snapshot.open_table(BUCKETS)?.get(bucket)? {
        Some(_) => Ok(()),
        None => Err(s3_error!(NoSuchBucket).into()),
    }
}

/// The number of entries to list, and the same as S3 repeats it.
fn page_size(wished: Option<i32>) -> S3Result<(usize, i32)> {
    let size = wished.unwrap_or(PAGE).min(PAGE);
    let entries =
        size.try_into().map_err(|_| s3_error!(InvalidArgument, "A page can't have less than 0 entries"))?;
    Ok((entries, size))
}

fn strong(e_tag: &str) -> ETag {
    ETag::Strong(e_tag.to_owned())
}

fn timestamp(time: DateTime<Utc>) -> Timestamp {
    SystemTime::from(time).into()
}

/// A size as the S3 types carry it.
fn signed(size: u64) -> Option<i64> {
    i64::try_from(size).ok()
}
