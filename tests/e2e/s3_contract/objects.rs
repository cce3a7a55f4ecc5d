//! Objects come back as they were put.

use aws_sdk_s3::{
    primitives::ByteStream,
    types::{ChecksumAlgorithm, ChecksumMode, Delete, MetadataDirective, ObjectIdentifier},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use sha2::{Digest, Sha256};

use super::server::{Bucket, code, status};

pub(super) fn sha256(bytes: &[u8]) -> String {
    BASE64_STANDARD.encode(Sha256::digest(bytes))
}

#[tokio::test]
async fn an_object_comes_back_with_all_that_was_said_about_it() {
    let s3 = Bucket::new().await;
    let key = s3.key("letter.pdf");
    let put = s3.client.put_object().bucket(s3.name()).key(&key).content_type("application/pdf");
    let put =
        put.content_disposition("attachment").metadata("origin", "scan").checksum_sha256(sha256(b"hello"));
    let put = put.body(ByteStream::from_static(b"hello")).send().await.unwrap();
    assert_eq!(put.e_tag(), Some("\"5d41402abc4b2a76b9719d911017c592\""));

    let got = s3.client.get_object().bucket(s3.name()).key(&key).send().await.unwrap();
    assert_eq!(got.content_type(), Some("application/pdf"));
    assert_eq!(got.content_disposition(), Some("attachment"));
    assert_eq!(got.metadata().unwrap()["origin"], "scan");
    assert_eq!(got.e_tag(), put.e_tag());
    assert_eq!(got.body.collect().await.unwrap().to_vec(), b"hello");

    let head = s3.client.head_object().bucket(s3.name()).key(&key);
    let head = head.checksum_mode(ChecksumMode::Enabled).send().await.unwrap();
    assert_eq!(head.content_length(), Some(5));
    assert_eq!(head.checksum_sha256(), Some(sha256(b"hello").as_str()));
    assert_eq!(head.e_tag(), put.e_tag());
}

#[tokio::test]
async fn empty_and_large_objects_are_kept() {
    let s3 = Bucket::new().await;
    let large: Vec<u8> = (0..3_000_000_u32).map(|n| n.to_le_bytes()[0] ^ n.to_le_bytes()[1]).collect();
    s3.put(&s3.key("empty"), b"").await;
    s3.put(&s3.key("large"), &large).await;
    assert_eq!(s3.get(&s3.key("empty")).await, Some(Vec::new()));
    assert!(s3.get(&s3.key("large")).await.unwrap() == large);
}

#[tokio::test]
async fn ranges_are_served() {
    let s3 = Bucket::new().await;
    let key = s3.key("digits");
    s3.put(&key, b"0123456789").await;
    for (range, bytes, content_range) in [
        ("bytes=2-4", "234", "bytes 2-4/10"),
        ("bytes=7-", "789", "bytes 7-9/10"),
        ("bytes=-3", "789", "bytes 7-9/10"),
        ("bytes=8-99", "89", "bytes 8-9/10"),
    ] {
        let got = s3.client.get_object().bucket(s3.name()).key(&key).range(range).send().await.unwrap();
        assert_eq!(got.content_range(), Some(content_range));
        assert_eq!(got.body.collect().await.unwrap().to_vec(), bytes.as_bytes());
    }
    let outside = s3.client.get_object().bucket(s3.name()).key(&key).range("bytes=10-").send().await;
    assert_eq!(status(outside), 416);
}

#[tokio::test]
async fn deleting_is_final_and_repeatable() {
    let s3 = Bucket::new().await;
    let key = s3.key("gone");
    s3.put(&key, b"x").await;
    for _ in 0..2 {
        s3.client.delete_object().bucket(s3.name()).key(&key).send().await.unwrap();
    }
    assert_eq!(s3.get(&key).await, None);
    assert_eq!(status(s3.client.head_object().bucket(s3.name()).key(&key).send().await), 404);

    let mut delete = Delete::builder();
    for name in ["a", "b", "never"] {
        if name != "never" {
            s3.put(&s3.key(name), b"x").await;
        }
        delete = delete.objects(ObjectIdentifier::builder().key(s3.key(name)).build().unwrap());
    }
    let request = s3.client.delete_objects().bucket(s3.name()).delete(delete.build().unwrap());
    let outcome = request.send().await.unwrap();
    assert_eq!((outcome.deleted().len(), outcome.errors().len()), (3, 0));
    assert_eq!(s3.get(&s3.key("a")).await, None);
}

#[tokio::test]
async fn a_copy_keeps_tag_and_checksum_and_outlives_its_source() {
    let s3 = Bucket::new().await;
    let (source, target) = (s3.key("staging"), s3.key("final"));
    let put = s3.client.put_object().bucket(s3.name()).key(&source).content_type("text/plain");
    let put = put.checksum_algorithm(ChecksumAlgorithm::Sha256).body(ByteStream::from_static(b"text"));
    let tag = put.send().await.unwrap().e_tag.unwrap();

    let copy = || s3.client.copy_object().bucket(s3.name()).copy_source(format!("{}/{source}", s3.name()));
    let wrong = copy().key(&target).copy_source_if_match("\"0\"").send().await;
    assert_eq!(code(wrong), "PreconditionFailed");
    assert_eq!(s3.get(&target).await, None);

    copy().key(&target).copy_source_if_match(&tag).send().await.unwrap();
    s3.client.delete_object().bucket(s3.name()).key(&source).send().await.unwrap();
    let head = s3.client.head_object().bucket(s3.name()).key(&target);
    let head = head.checksum_mode(ChecksumMode::Enabled).send().await.unwrap();
    assert_eq!(head.e_tag(), Some(tag.as_str()));
    assert_eq!(head.checksum_sha256(), Some(sha256(b"text").as_str()));
    assert_eq!(head.content_type(), Some("text/plain"));
    assert_eq!(s3.get(&target).await.unwrap(), b"text");
    assert_eq!(code(copy().key(s3.key("other")).send().await), "NoSuchKey");
}

#[tokio::test]
async fn a_copy_may_replace_the_metadata_in_place() {
    let s3 = Bucket::new().await;
    let key = s3.key("same");
    s3.put(&key, b"same").await;
    let copy =
        || s3.client.copy_object().bucket(s3.name()).key(&key).copy_source(format!("{}/{key}", s3.name()));
    assert_eq!(code(copy().send().await), "InvalidRequest");
    let replace = copy().metadata_directive(MetadataDirective::Replace).content_type("image/png");
    replace.send().await.unwrap();
    let got = s3.client.get_object().bucket(s3.name()).key(&key).send().await.unwrap();
    assert_eq!(got.content_type(), Some("image/png"));
    assert_eq!(got.body.collect().await.unwrap().to_vec(), b"same");
}

#[tokio::test]
async fn a_missing_bucket_is_named_and_creating_ours_again_is_harmless() {
    let s3 = Bucket::new().await;
    s3.client.head_bucket().bucket(s3.name()).send().await.unwrap();
    s3.client.create_bucket().bucket(s3.name()).send().await.unwrap();
    let missing = format!("none-{}", &s3.prefix[..16]);
    let put = s3.client.put_object().bucket(&missing).key("k").body(ByteStream::from_static(b"x"));
    assert_eq!(code(put.send().await), "NoSuchBucket");
    assert_eq!(status(s3.client.head_bucket().bucket(&missing).send().await), 404);
}
