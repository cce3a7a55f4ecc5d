use std::time::Duration;

use sha2::{Digest, Sha256};

use super::{BlobError, Disposition, Download, StoredPart, content_disposition};
use crate::fixture::ObjectStore;

const VALID: Duration = Duration::from_mins(1);

fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

#[tokio::test]
async fn a_presigned_put_stores_what_was_signed_and_only_once() {
    let store = ObjectStore::start().await;
    let blobs = store.blobs();
    let put = blobs.presign_put("staging/a", "text/plain", 5, &sha256(b"hello"), VALID).await.unwrap();
    let signed: Vec<&str> = put.headers.keys().map(String::as_str).collect();
    assert_eq!(signed, ["content-length", "content-type", "if-none-match", "x-amz-checksum-sha256"]);

    let send = async |content: &'static [u8]| {
        let mut request = reqwest::Client::new().put(&put.url).body(content);
        for (name, value) in put.headers.iter().filter(|(name, _)| *name != "content-length") {
            request = request.header(name, value);
        }
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(send(b"hello, too long").await, 403, "the length is signed");
    assert_eq!(send(b"HELLO").await, 400, "the checksum is checked");
    assert_eq!(send(b"hello").await, 200);
    assert_eq!(send(b"hello").await, 412, "nothing is replaced");

    let stored = blobs.head("staging/a").await.unwrap();
    assert_eq!((stored.size, stored.sha256), (5, Some(sha256(b"hello"))));
}

#[tokio::test]
async fn a_copy_insists_on_its_source() {
    let store = ObjectStore::start().await;
    let blobs = store.blobs();
    store.put("staging/a", b"hello").await;
    let etag = blobs.head("staging/a").await.unwrap().etag;
    assert!(matches!(
        blobs.copy("staging/a", "\"other\"", "final").await,
        Err(BlobError::PreconditionFailed)
    ));
    assert!(matches!(blobs.copy("staging/b", &etag, "final").await, Err(BlobError::NotFound)));
    blobs.copy("staging/a", &etag, "final").await.unwrap();
    assert_eq!(blobs.head("final").await.unwrap().sha256, Some(sha256(b"hello")));

    blobs.delete("staging/a").await.unwrap();
    blobs.delete("staging/a").await.unwrap();
    assert!(matches!(blobs.head("staging/a").await, Err(BlobError::NotFound)));
}

#[tokio::test]
async fn parts_become_an_object() {
    let store = ObjectStore::start().await;
    let blobs = store.blobs();
    let id = blobs.create_multipart("big", "text/plain").await.unwrap();
    let listed = blobs.list_multiparts(None).await.unwrap();
    assert_eq!(listed.uploads.len(), 1);
    assert_eq!(listed.uploads[0].place.multipart_id, id);

    let contents = [vec![1; 5 << 20], vec![2; 7]];
    for (number, content) in (1..).zip(&contents) {
        let put = blobs.presign_part("big", &id, number, content.len() as u64, VALID).await.unwrap();
        assert_eq!(put.headers.keys().collect::<Vec<_>>(), ["content-length"]);
        let answer = reqwest::Client::new().put(put.url).body(content.clone()).send().await.unwrap();
        assert_eq!(answer.status(), 200);
    }
    let parts = blobs.list_parts("big", &id).await.unwrap();
    assert_eq!(parts.iter().map(|part| part.number).collect::<Vec<_>>(), [1, 2]);
    let wrong = [StoredPart { number: 1, etag: "\"0\"".into() }];
    assert!(matches!(blobs.complete_multipart("big", &id, &wrong).await, Err(BlobError::WrongParts)));
    blobs.complete_multipart("big", &id, &parts).await.unwrap();
    assert!(matches!(blobs.complete_multipart("big", &id, &parts).await, Err(BlobError::NotFound)));

    let hashed = blobs.hash("big").await.unwrap();
    assert_eq!((hashed.size, hashed.sha256), ((5 << 20) + 7, sha256(&contents.concat())));
    assert_eq!(blobs.head("big").await.unwrap().sha256, None, "nobody vouches for the whole of it");
    blobs.abort_multipart("big", &id).await.unwrap();
}

#[tokio::test]
async fn a_download_tells_the_browser_what_to_do() {
    let store = ObjectStore::start().await;
    store.put("final", b"0123456789").await;
    let name = "r\u{e9}sum\u{e9} \"x\".pdf";
    let download = Download {
        name,
        content_type: "application/pdf",
        sniffed_type: None,
        disposition: Disposition::Inline,
    };
    let get = store.blobs().presign_get("final", download, VALID).await.unwrap();
    let answer = reqwest::Client::new().get(get.url).header("range", "bytes=2-4").send().await.unwrap();
    assert_eq!(answer.status(), 206);
    assert_eq!(answer.headers()["content-type"], "application/pdf");
    assert_eq!(
        answer.headers()["content-disposition"],
        "inline; filename=\"r_sum_ _x_.pdf\"; filename*=UTF-8''r%C3%A9sum%C3%A9%20%22x%22.pdf"
    );
    assert_eq!(answer.text().await.unwrap(), "234");
    let head = store.blobs().presign_head("final", download, VALID).await.unwrap();
    assert_eq!(reqwest::Client::new().head(head.url).send().await.unwrap().status(), 200);
}

#[test]
fn what_could_run_is_never_shown_inline() {
    let kind = |disposition, content_type| {
        let download = Download { name: "x", content_type, sniffed_type: None, disposition };
        content_disposition(download).split(';').next().unwrap().to_owned()
    };
    assert_eq!(kind(Disposition::Inline, "text/plain; charset=utf-8"), "inline");
    assert_eq!(kind(Disposition::Inline, "IMAGE/PNG"), "inline");
    assert_eq!(kind(Disposition::Inline, "text/html"), "attachment");
    assert_eq!(kind(Disposition::Inline, "image/svg+xml"), "attachment");
    assert_eq!(kind(Disposition::Attachment, "application/pdf"), "attachment");
}

/// U02
#[test]
fn what_is_not_as_announced_is_never_shown_inline() {
    let kind = |content_type, sniffed_type| {
        let download = Download {
            name: "x",
            content_type,
            sniffed_type: Some(sniffed_type),
            disposition: Disposition::Inline,
        };
        content_disposition(download).split(';').next().unwrap().to_owned()
    };
    assert_eq!(kind("text/plain; charset=utf-8", "text/plain"), "inline");
    assert_eq!(kind("image/PNG", "image/png"), "inline");
    assert_eq!(kind("text/plain", "text/html"), "attachment");
    assert_eq!(kind("image/png", "image/gif"), "attachment");
    assert_eq!(kind("application/pdf", "application/octet-stream"), "attachment");
    assert_eq!(kind("text/html", "text/plain"), "attachment", "the announced type is sent");
}

#[tokio::test]
async fn a_store_that_is_down_is_unavailable() {
    let mut store = ObjectStore::start().await;
    store.go_down().await;
    assert!(matches!(store.blobs().head("a").await, Err(BlobError::Unavailable(_))));
}
