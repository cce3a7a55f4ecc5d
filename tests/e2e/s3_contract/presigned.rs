//! A presigned URL allows exactly what was signed, for as long as was signed (U03, U04).

use std::time::{Duration, UNIX_EPOCH};

use aws_sdk_s3::presigning::{PresignedRequest, PresigningConfig};
use reqwest::{Method, Response};

use super::{objects::sha256, server::Bucket};

pub(super) fn soon() -> PresigningConfig {
    PresigningConfig::expires_in(Duration::from_mins(1)).unwrap()
}

pub(super) fn long_ago() -> PresigningConfig {
    let start = UNIX_EPOCH + Duration::from_secs(1_600_000_000);
    PresigningConfig::builder().start_time(start).expires_in(Duration::from_mins(1)).build().unwrap()
}

/// As DocuVault signs uploads: length, type, checksum, and only where nothing is.
async fn upload(s3: &Bucket, key: &str, body: &[u8]) -> PresignedRequest {
    let put = s3.client.put_object().bucket(s3.name()).key(key).content_type("text/plain").if_none_match("*");
    let put = put.content_length(body.len().try_into().unwrap()).checksum_sha256(sha256(body));
    put.presigned(soon()).await.unwrap()
}

/// Sends a presigned request; `changed` replaces or adds a header, or removes one (`None`).
async fn send(
    presigned: &PresignedRequest,
    method: &str,
    changed: &[(&str, Option<&str>)],
    body: &'static [u8],
) -> Response {
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    let mut request = reqwest::Client::new().request(method, presigned.uri()).body(body);
    let kept = presigned.headers().filter(|(name, _)| changed.iter().all(|(changed, _)| changed != name));
    for (name, value) in kept.chain(changed.iter().filter_map(|(name, value)| Some((*name, (*value)?)))) {
        if name != "content-length" {
            request = request.header(name, value);
        }
    }
    request.send().await.unwrap()
}

#[tokio::test]
async fn a_presigned_put_stores_once_what_was_signed() {
    let s3 = Bucket::new().await;
    let key = s3.key("upload");
    let presigned = upload(&s3, &key, b"hello").await;
    assert_eq!(send(&presigned, "PUT", &[], b"hello").await.status(), 200);
    assert_eq!(s3.get(&key).await.unwrap(), b"hello");
    assert_eq!(send(&presigned, "PUT", &[], b"hello").await.status(), 412);
}

#[tokio::test]
async fn every_deviation_from_a_presigned_put_is_refused() {
    let s3 = Bucket::new().await;
    let other = sha256(b"jello");
    for (changed, body, status) in [
        (&[("content-type", Some("text/html"))] as &[_], b"hello" as &[u8], 403),
        (&[("content-type", None)], b"hello", 403),
        (&[("if-none-match", None)], b"hello", 403),
        (&[("x-amz-checksum-sha256", Some(other.as_str()))], b"jello", 403),
        (&[("x-amz-checksum-sha256", None)], b"hello", 403),
        (&[], b"hello, longer", 403),
        (&[], b"hell", 403),
        (&[], b"", 403),
        (&[], b"jello", 400),
        (&[("x-amz-meta-more", Some("unsigned"))], b"hello", 403),
        (&[("x-amz-acl", Some("public-read"))], b"hello", 403),
    ] {
        let key = s3.key("refused");
        let presigned = upload(&s3, &key, b"hello").await;
        let answer = send(&presigned, "PUT", changed, body).await;
        assert_eq!(answer.status(), status, "{changed:?} {body:?}");
        assert_eq!(s3.get(&key).await, None, "{changed:?} {body:?}");
    }
}

#[tokio::test]
async fn a_presigned_put_cannot_be_turned_into_a_copy() {
    let s3 = Bucket::new().await;
    let (secret, key) = (s3.key("somebody/secret"), s3.key("mine"));
    s3.put(&secret, b"secret").await;
    let presigned = s3.client.put_object().bucket(s3.name()).key(&key).presigned(soon()).await.unwrap();
    let source = format!("/{}/{secret}", s3.name());
    let answer = send(&presigned, "PUT", &[("x-amz-copy-source", Some(&source))], b"").await;
    assert_eq!(answer.status(), 403);
    assert_eq!(s3.get(&key).await, None);
}

#[tokio::test]
async fn a_presigned_url_allows_one_method_on_one_key() {
    let s3 = Bucket::new().await;
    let key = s3.key("one");
    s3.put(&key, b"one").await;
    s3.put(&s3.key("two"), b"two").await;
    let get = s3.client.get_object().bucket(s3.name()).key(&key).presigned(soon()).await.unwrap();
    for method in ["PUT", "DELETE"] {
        assert_eq!(send(&get, method, &[], b"").await.status(), 403);
    }
    let elsewhere = get.uri().replace("/one?", "/two?");
    assert_eq!(reqwest::get(elsewhere).await.unwrap().status(), 403);
    assert_eq!(s3.get(&key).await.unwrap(), b"one");
}

#[tokio::test]
async fn an_expired_url_is_refused() {
    let s3 = Bucket::new().await;
    let key = s3.key("late");
    s3.put(&key, b"before").await;
    let get = s3.client.get_object().bucket(s3.name()).key(&key).presigned(long_ago()).await.unwrap();
    let put = s3.client.put_object().bucket(s3.name()).key(&key).presigned(long_ago()).await.unwrap();
    assert_eq!(send(&get, "GET", &[], b"").await.status(), 403);
    assert_eq!(send(&put, "PUT", &[], b"after").await.status(), 403);
    assert_eq!(s3.get(&key).await.unwrap(), b"before");
}

#[tokio::test]
async fn a_presigned_get_names_type_and_disposition_and_serves_ranges() {
    let s3 = Bucket::new().await;
    let key = s3.key("download");
    s3.put(&key, b"0123456789").await;
    let disposition = "attachment; filename*=UTF-8''r%C3%A9sum%C3%A9.pdf";
    let get = s3.client.get_object().bucket(s3.name()).key(&key).response_content_disposition(disposition);
    let get = get.response_content_type("application/pdf").presigned(soon()).await.unwrap();
    let answer = send(&get, "GET", &[("range", Some("bytes=3-4"))], b"").await;
    assert_eq!(answer.status(), 206);
    assert_eq!(answer.headers()["content-disposition"], disposition);
    assert_eq!(answer.headers()["content-type"], "application/pdf");
    assert_eq!(answer.headers()["content-range"], "bytes 3-4/10");
    assert_eq!(answer.bytes().await.unwrap().as_ref(), b"34");

    let head = s3.client.head_object().bucket(s3.name()).key(&key).response_content_disposition(disposition);
    let head = head.response_content_type("application/pdf").presigned(soon()).await.unwrap();
    let answer = send(&head, "HEAD", &[], b"").await;
    assert_eq!(answer.headers()["content-disposition"], disposition);
    assert_eq!(answer.headers()["content-type"], "application/pdf");

    let tampered = get.uri().replace("attachment", "inline");
    assert_ne!(tampered, get.uri());
    assert_eq!(reqwest::get(tampered).await.unwrap().status(), 403);
}
