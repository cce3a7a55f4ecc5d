//! Multipart uploads.

use aws_sdk_s3::{
    error::SdkError,
    operation::complete_multipart_upload::{CompleteMultipartUploadError, CompleteMultipartUploadOutput},
    types::{ChecksumAlgorithm, ChecksumMode, CompletedMultipartUpload, CompletedPart},
};
use futures::future::join_all;

use super::server::{Bucket, code};

pub(super) const MIB: usize = 1024 * 1024;

/// An upload under way.
pub(super) struct Upload<'a> {
    pub s3: &'a Bucket,
    pub key: String,
    pub id: String,
}

impl<'a> Upload<'a> {
    pub(super) async fn start(s3: &'a Bucket, name: &str) -> Self {
        let key = s3.key(name);
        let create =
            s3.client.create_multipart_upload().bucket(s3.name()).key(&key).content_type("video/mp4");
        let created = create.checksum_algorithm(ChecksumAlgorithm::Sha256).send().await.unwrap();
        Self { s3, key, id: created.upload_id.unwrap() }
    }

    pub(super) async fn part(&self, number: i32, body: Vec<u8>) -> CompletedPart {
        let part = self.s3.client.upload_part().bucket(self.s3.name()).key(&self.key).upload_id(&self.id);
        let part = part.part_number(number).checksum_algorithm(ChecksumAlgorithm::Sha256).body(body.into());
        let part = part.send().await.unwrap();
        CompletedPart::builder()
            .part_number(number)
            .set_e_tag(part.e_tag)
            .set_checksum_sha256(part.checksum_sha256)
            .build()
    }

    pub(super) async fn complete(
        &self,
        parts: Vec<CompletedPart>,
    ) -> Result<
        CompleteMultipartUploadOutput,
        SdkError<CompleteMultipartUploadError, aws_sdk_s3::config::http::HttpResponse>,
    > {
        let complete = self.s3.client.complete_multipart_upload().bucket(self.s3.name()).key(&self.key);
        let list = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        complete.upload_id(&self.id).multipart_upload(list).send().await
    }
}

#[tokio::test]
async fn parts_sent_in_any_order_make_one_object() {
    let s3 = Bucket::new().await;
    let upload = Upload::start(&s3, "video").await;
    let bodies = [vec![1; 5 * MIB], vec![2; 5 * MIB + 3], vec![3; 7]];
    upload.part(2, b"replaced by the next".to_vec()).await;
    upload.part(9, b"never listed".to_vec()).await;
    let sent =
        join_all([2, 0, 1].map(|n: usize| upload.part(i32::try_from(n).unwrap() + 1, bodies[n].clone())))
            .await;
    let parts = vec![sent[1].clone(), sent[2].clone(), sent[0].clone()];
    let completed = upload.complete(parts.clone()).await.unwrap();

    let tag = completed.e_tag().unwrap();
    assert!(tag.ends_with("-3\""), "{tag}");
    assert!(s3.get(&upload.key).await.unwrap() == bodies.concat());
    let head = s3.client.head_object().bucket(s3.name()).key(&upload.key);
    let head = head.checksum_mode(ChecksumMode::Enabled).send().await.unwrap();
    assert_eq!(head.e_tag(), Some(tag));
    assert_eq!(head.content_type(), Some("video/mp4"));
    assert!(head.checksum_sha256().unwrap().ends_with("-3"));

    let border = 5 * MIB as u64;
    let range = format!("bytes={}-{}", border - 1, border);
    let got = s3.client.get_object().bucket(s3.name()).key(&upload.key).range(range).send().await.unwrap();
    assert_eq!(got.body.collect().await.unwrap().to_vec(), [1, 2]);

    assert_eq!(code(upload.complete(parts).await), "NoSuchUpload");
    let late = s3.client.upload_part().bucket(s3.name()).key(&upload.key).upload_id(&upload.id);
    assert_eq!(code(late.part_number(1).body(b"x".to_vec().into()).send().await), "NoSuchUpload");
    assert!(s3.get(&upload.key).await.unwrap() == bodies.concat());
}

#[tokio::test]
async fn what_is_listed_wrongly_is_not_completed() {
    let s3 = Bucket::new().await;
    let upload = Upload::start(&s3, "wrong").await;
    let first = upload.part(1, vec![1; 5 * MIB]).await;
    let small = upload.part(2, b"small".to_vec()).await;
    let last = upload.part(3, b"last".to_vec()).await;
    let forged = CompletedPart::builder().part_number(2).e_tag("\"0\"").build();
    let missing = CompletedPart::builder().part_number(7).set_e_tag(last.e_tag.clone()).build();
    for (parts, refusal) in [
        (vec![last.clone(), first.clone()], "InvalidPartOrder"),
        (vec![first.clone(), first.clone()], "InvalidPartOrder"),
        (vec![first.clone(), forged], "InvalidPart"),
        (vec![first.clone(), missing], "InvalidPart"),
        (vec![first.clone(), small, last.clone()], "EntityTooSmall"),
    ] {
        assert_eq!(code(upload.complete(parts).await), refusal);
        assert_eq!(s3.get(&upload.key).await, None);
    }
    upload.complete(vec![first, last]).await.unwrap();
}

#[tokio::test]
async fn parts_are_listed_in_pages() {
    let s3 = Bucket::new().await;
    let upload = Upload::start(&s3, "parts").await;
    for number in [5, 1, 3] {
        upload.part(number, vec![0; 10]).await;
    }
    let list =
        || s3.client.list_parts().bucket(s3.name()).key(&upload.key).upload_id(&upload.id).max_parts(2);
    let first = list().send().await.unwrap();
    let numbers: Vec<_> =
        first.parts().iter().map(|part| (part.part_number().unwrap(), part.size().unwrap())).collect();
    assert_eq!(numbers, [(1, 10), (3, 10)]);
    assert_eq!(first.is_truncated(), Some(true));
    let rest = list().part_number_marker(first.next_part_number_marker().unwrap()).send().await.unwrap();
    assert_eq!(rest.parts().len(), 1);
    assert_eq!(rest.parts()[0].part_number(), Some(5));
    assert_eq!(rest.is_truncated(), Some(false));
}

#[tokio::test]
async fn an_aborted_upload_is_gone() {
    let s3 = Bucket::new().await;
    let upload = Upload::start(&s3, "aborted").await;
    let part = upload.part(1, b"x".to_vec()).await;
    let abort =
        || s3.client.abort_multipart_upload().bucket(s3.name()).key(&upload.key).upload_id(&upload.id).send();
    abort().await.unwrap();
    assert_eq!(code(upload.complete(vec![part]).await), "NoSuchUpload");
    let list = s3.client.list_parts().bucket(s3.name()).key(&upload.key).upload_id(&upload.id).send().await;
    assert_eq!(code(list), "NoSuchUpload");
}

#[tokio::test]
async fn unfinished_uploads_are_listed_in_pages() {
    let s3 = Bucket::new().await;
    let uploads =
        [Upload::start(&s3, "a").await, Upload::start(&s3, "a").await, Upload::start(&s3, "b").await];
    let mut found = Vec::new();
    let (mut key, mut id) = (None, None);
    loop {
        let list = s3.client.list_multipart_uploads().bucket(s3.name()).prefix(&s3.prefix).max_uploads(1);
        let page = list.set_key_marker(key).set_upload_id_marker(id).send().await.unwrap();
        found.extend(page.uploads().iter().filter_map(|upload| upload.upload_id.clone()));
        (key, id) = (page.next_key_marker, page.next_upload_id_marker);
        if page.is_truncated != Some(true) {
            break;
        }
    }
    let mut wanted: Vec<String> = uploads.iter().map(|upload| upload.id.clone()).collect();
    wanted[..2].sort();
    found[..2].sort();
    assert_eq!(found, wanted);
}
