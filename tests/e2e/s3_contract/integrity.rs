//! What doesn't arrive as announced replaces nothing.

use std::time::Duration;

use aws_sdk_s3::{
    presigning::PresigningConfig,
    primitives::ByteStream,
    types::{ChecksumAlgorithm, ChecksumMode},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use url::Url;

use super::{
    objects::sha256,
    server::{Bucket, status},
};

#[tokio::test]
async fn a_wrong_checksum_replaces_nothing() {
    let s3 = Bucket::new().await;
    let key = s3.key("kept");
    s3.put(&key, b"before").await;
    let put = || s3.client.put_object().bucket(s3.name()).key(&key).body(ByteStream::from_static(b"after"));
    for wrong in [
        put().checksum_sha256(sha256(b"other")),
        put().checksum_sha1("AAAAAAAAAAAAAAAAAAAAAAAAAAA="),
        put().checksum_crc32("AAAAAA=="),
        put().checksum_crc32_c("AAAAAA=="),
        put().checksum_crc64_nvme("AAAAAAAAAAA="),
        put().content_md5("AAAAAAAAAAAAAAAAAAAAAA=="),
    ] {
        assert_eq!(status(wrong.send().await), 400);
        assert_eq!(s3.get(&key).await.unwrap(), b"before");
    }
}

#[tokio::test]
async fn every_algorithm_is_checked_and_kept() {
    let s3 = Bucket::new().await;
    for algorithm in [
        ChecksumAlgorithm::Crc32,
        ChecksumAlgorithm::Crc32C,
        ChecksumAlgorithm::Crc64Nvme,
        ChecksumAlgorithm::Sha1,
        ChecksumAlgorithm::Sha256,
    ] {
        let key = s3.key(algorithm.as_str());
        let put = s3.client.put_object().bucket(s3.name()).key(&key).checksum_algorithm(algorithm.clone());
        put.body(ByteStream::from_static(b"hello")).send().await.unwrap();
        let head = s3.client.head_object().bucket(s3.name()).key(&key);
        let head = head.checksum_mode(ChecksumMode::Enabled).send().await.unwrap();
        let kept = match algorithm {
            ChecksumAlgorithm::Crc32 => (head.checksum_crc32(), "NhCmhg=="),
            ChecksumAlgorithm::Crc32C => (head.checksum_crc32_c(), "mnG7TA=="),
            ChecksumAlgorithm::Crc64Nvme => (head.checksum_crc64_nvme(), "M3eFcAZSQlc="),
            ChecksumAlgorithm::Sha1 => (head.checksum_sha1(), "qvTGHdzF6KLavt4PO0gs2a6pQ00="),
            _ => (head.checksum_sha256(), "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ="),
        };
        assert_eq!(kept.0, Some(kept.1));
    }
}

#[tokio::test]
async fn a_streamed_body_carries_its_checksum_behind_it() {
    let s3 = Bucket::new().await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("streamed");
    let bytes = vec![7; 300_000];
    tokio::fs::write(&path, &bytes).await.unwrap();
    let put = s3.client.put_object().bucket(s3.name()).key(s3.key("streamed"));
    let put =
        put.checksum_algorithm(ChecksumAlgorithm::Sha256).body(ByteStream::from_path(&path).await.unwrap());
    put.send().await.unwrap();
    let got = s3.client.get_object().bucket(s3.name()).key(s3.key("streamed"));
    let got = got.checksum_mode(ChecksumMode::Enabled).send().await.unwrap();
    assert_eq!(got.checksum_sha256(), Some(sha256(&bytes).as_str()));
    assert_eq!(got.content_encoding(), None);
    assert!(got.body.collect().await.unwrap().to_vec() == bytes);
}

#[tokio::test]
async fn a_connection_that_breaks_off_replaces_nothing() {
    let s3 = Bucket::new().await;
    let key = s3.key("kept");
    s3.put(&key, b"before").await;
    let put = s3.client.put_object().bucket(s3.name()).key(&key).content_length(1000);
    let presigned =
        put.presigned(PresigningConfig::expires_in(Duration::from_mins(1)).unwrap()).await.unwrap();
    let url = Url::parse(presigned.uri()).unwrap();
    let address = (url.host_str().unwrap().to_owned(), url.port_or_known_default().unwrap());
    let host = s3.server.endpoint.split_once("://").unwrap().1;

    let mut connection = TcpStream::connect(address).await.unwrap();
    let query = url.query().unwrap();
    let headers: Vec<String> =
        presigned.headers().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let head = format!("PUT {}?{query} HTTP/1.1\r\nhost: {host}\r\n{}", url.path(), headers.concat());
    connection.write_all(format!("{head}\r\nonly these bytes").as_bytes()).await.unwrap();
    connection.shutdown().await.unwrap();
    let mut answer = Vec::new();
    connection.read_to_end(&mut answer).await.unwrap();
    assert!(!answer.starts_with(b"HTTP/1.1 2"));
    assert_eq!(s3.get(&key).await.unwrap(), b"before");
}
