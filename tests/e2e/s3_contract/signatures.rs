//! Nothing happens without a valid signature (U14).

use reqwest::{Client, RequestBuilder};

use super::server::{Bucket, Server, code, now};

/// An aws-chunked body with an unsigned trailer, by somebody who knows the access key id but no secret.
fn chunked_put(s3: &Bucket, key: &str, query: &str) -> RequestBuilder {
    Client::new()
        .put(format!("{}/{}/{key}?{query}", s3.server.endpoint, s3.name()))
        .header("x-amz-date", now().format("%Y%m%dT%H%M%SZ").to_string())
        .header("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER")
        .header("x-amz-decoded-content-length", "5")
        .header("x-amz-trailer", "x-amz-checksum-crc32")
        .header("content-encoding", "aws-chunked")
        .body("5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n")
}

fn credential(s3: &Bucket) -> String {
    format!("{}/{}/{}/s3/aws4_request", s3.server.access_key_id, now().format("%Y%m%d"), s3.server.region)
}

#[tokio::test]
async fn an_unsigned_streaming_put_is_refused() {
    let s3 = Bucket::new().await;
    let key = s3.key("planted");
    let signed =
        "SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-trailer";
    let bogus =
        format!("AWS4-HMAC-SHA256 Credential={}, {signed}, Signature={}", credential(&s3), "0".repeat(64));
    let named = format!("X-Amz-Credential={}", credential(&s3));
    let attempts = [
        chunked_put(&s3, &key, ""),
        chunked_put(&s3, &key, "").header("authorization", &bogus),
        chunked_put(&s3, &key, &named),
    ];
    for attempt in attempts {
        assert_eq!(attempt.send().await.unwrap().status(), 403);
    }
    let rest = format!("X-Amz-SignedHeaders=host&X-Amz-Signature={}", "0".repeat(64));
    let date = now().format("X-Amz-Date=%Y%m%dT%H%M%SZ&X-Amz-Expires=900");
    let presigned = format!("X-Amz-Algorithm=AWS4-HMAC-SHA256&{named}&{date}&{rest}");
    let answer = chunked_put(&s3, &key, &presigned).send().await.unwrap();
    assert!(!answer.status().is_success());
    assert_eq!(s3.get(&key).await, None);
}

#[tokio::test]
async fn anonymous_requests_are_refused() {
    let s3 = Bucket::new().await;
    let key = s3.key("private");
    s3.put(&key, b"private").await;
    let url = format!("{}/{}/{key}", s3.server.endpoint, s3.name());
    let client = Client::new();
    let list = format!("{}/{}?list-type=2", s3.server.endpoint, s3.name());
    for request in [
        client.get(&url),
        client.head(&url),
        client.put(&url).body("x"),
        client.delete(&url),
        client.get(list),
    ] {
        assert_eq!(request.send().await.unwrap().status(), 403);
    }
    assert_eq!(s3.get(&key).await.unwrap(), b"private");
}

#[tokio::test]
async fn a_wrong_secret_is_refused() {
    let s3 = Bucket::new().await;
    let wrong = Server { secret_access_key: "guessed".to_owned(), ..s3.server.clone() };
    let got = wrong.client().get_object().bucket(s3.name()).key(s3.key("x")).send().await;
    assert_eq!(code(got), "SignatureDoesNotMatch");
}
