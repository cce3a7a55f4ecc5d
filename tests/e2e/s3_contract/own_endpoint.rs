//! What only our own endpoint promises: how it survives restarts, cleans up, and answers browsers.

use std::path::Path;

use redb::{ReadableDatabase, ReadableTable, TableDefinition};
use reqwest::{Client, Method, Response};

use super::{
    multipart::{MIB, Upload},
    presigned::{long_ago, soon},
    server::{ORIGIN, OwnServer, code},
};

/// Names of data files on disk.
fn data_files(root: &Path) -> Vec<String> {
    let directories = std::fs::read_dir(root.join("data")).unwrap();
    let files = directories.flat_map(|directory| std::fs::read_dir(directory.unwrap().path()).unwrap());
    files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect()
}

#[tokio::test]
async fn objects_and_unfinished_uploads_survive_a_restart() {
    let root = tempfile::tempdir().unwrap();
    let own = OwnServer::start(root.path()).await;
    own.bucket().put("kept", b"bytes").await;
    let s3 = own.bucket();
    let upload = Upload::start(&s3, "resumed").await;
    let first = upload.part(1, vec![1; 5 * MIB]).await;
    own.stop().await;

    let own = OwnServer::start(root.path()).await;
    let s3 = own.bucket();
    assert_eq!(s3.get("kept").await.unwrap(), b"bytes");
    let resumed = Upload { s3: &s3, key: upload.key.clone(), id: upload.id.clone() };
    let last = resumed.part(2, b"end".to_vec()).await;
    resumed.complete(vec![first, last]).await.unwrap();
    assert_eq!(s3.get("resumed").await.unwrap().len(), 5 * MIB + 3);
    own.stop().await;
}

#[tokio::test]
async fn left_over_files_are_removed_at_start() {
    const UNSETTLED: TableDefinition<&str, ()> = TableDefinition::new("unsettled");
    let root = tempfile::tempdir().unwrap();
    let own = OwnServer::start(root.path()).await;
    own.bucket().put("kept", b"bytes").await;
    own.stop().await;

    let name = {
        let index = redb::Database::open(root.path().join("index.redb")).unwrap();
        let unsettled = index.begin_read().unwrap().open_table(UNSETTLED).unwrap();
        unsettled.first().unwrap().unwrap().0.value().to_owned()
    };
    std::fs::write(root.path().join("data").join(&name[..2]).join(&name), b"half an upl").unwrap();
    let own = OwnServer::start(root.path()).await;
    assert!(!data_files(root.path()).contains(&name));
    assert_eq!(own.bucket().get("kept").await.unwrap(), b"bytes");
    own.stop().await;
}

#[tokio::test]
async fn nothing_stays_on_disk_that_no_object_shows() {
    let root = tempfile::tempdir().unwrap();
    let own = OwnServer::start(root.path()).await;
    let s3 = own.bucket();
    s3.put("replaced", b"one").await;
    s3.put("replaced", b"two").await;
    let wrong = s3.client.put_object().bucket(s3.name()).key("refused").body(b"x".to_vec().into());
    assert_eq!(code(wrong.content_md5("AAAAAAAAAAAAAAAAAAAAAA==").send().await), "BadDigest");
    s3.client.copy_object().bucket(s3.name()).key("copy").copy_source("vault/replaced").send().await.unwrap();
    assert_eq!(data_files(root.path()).len(), 1);

    let upload = Upload::start(&s3, "video").await;
    let first = upload.part(1, vec![1; 5 * MIB]).await;
    upload.part(2, b"unlisted".to_vec()).await;
    let last = upload.part(3, b"last".to_vec()).await;
    upload.complete(vec![first, last]).await.unwrap();
    assert_eq!(data_files(root.path()).len(), 3);

    for (key, left) in [("replaced", 3), ("copy", 2), ("video", 0)] {
        s3.client.delete_object().bucket(s3.name()).key(key).send().await.unwrap();
        assert_eq!(data_files(root.path()).len(), left);
    }
    own.stop().await;
}

#[tokio::test]
async fn a_download_goes_on_when_its_object_is_deleted() {
    let root = tempfile::tempdir().unwrap();
    let own = OwnServer::start(root.path()).await;
    let s3 = own.bucket();
    let upload = Upload::start(&s3, "long").await;
    let parts = vec![upload.part(1, vec![1; 32 * MIB]).await, upload.part(2, vec![2; 32 * MIB]).await];
    upload.complete(parts).await.unwrap();
    // Longer than what the sockets hold, so the second part isn't read before the deletion.
    let download = s3.client.get_object().bucket(s3.name()).key("long").send().await.unwrap();
    s3.client.delete_object().bucket(s3.name()).key("long").send().await.unwrap();
    let bytes = download.body.collect().await.unwrap().to_vec();
    assert!(bytes == [vec![1; 32 * MIB], vec![2; 32 * MIB]].concat());
    own.stop().await;
    assert_eq!(data_files(root.path()), Vec::<String>::new());
}

#[tokio::test]
async fn a_directory_is_opened_only_once() {
    let root = tempfile::tempdir().unwrap();
    let own = OwnServer::start(root.path()).await;
    let second = tokio::spawn({
        let root = root.path().to_owned();
        async move { OwnServer::start(&root).await }
    });
    assert!(second.await.is_err());
    own.stop().await;
}

async fn from_origin(own: &OwnServer, method: Method, origin: &str) -> Response {
    let request = Client::new().request(method, format!("{}/vault/key", own.server.endpoint));
    let request = request.header("origin", origin).header("access-control-request-method", "PUT");
    request
        .header("access-control-request-headers", "content-type,x-amz-checksum-sha256")
        .send()
        .await
        .unwrap()
}

#[tokio::test]
async fn browsers_may_come_from_listed_origins_only() {
    let root = tempfile::tempdir().unwrap();
    let own = OwnServer::start(root.path()).await;
    let preflight = from_origin(&own, Method::OPTIONS, ORIGIN).await;
    assert_eq!(preflight.status(), 200);
    assert_eq!(preflight.headers()["access-control-allow-origin"], ORIGIN);
    assert_eq!(preflight.headers()["access-control-allow-methods"], "GET,HEAD,PUT");
    assert_eq!(preflight.headers()["access-control-allow-headers"], "content-type,x-amz-checksum-sha256");
    let answer = from_origin(&own, Method::GET, ORIGIN).await;
    assert_eq!(answer.headers()["access-control-allow-origin"], ORIGIN);
    assert!(answer.headers()["access-control-expose-headers"].to_str().unwrap().contains("etag"));
    for origin in ["null", "https://vault.example.evil", "http://vault.example"] {
        for method in [Method::OPTIONS, Method::GET] {
            let answer = from_origin(&own, method, origin).await;
            assert!(!answer.headers().contains_key("access-control-allow-origin"));
        }
    }
    own.stop().await;
}

/// AWS refuses them; nothing is told that the GET would not tell.
#[tokio::test]
async fn a_url_for_get_is_good_for_head() {
    let root = tempfile::tempdir().unwrap();
    let own = OwnServer::start(root.path()).await;
    let s3 = own.bucket();
    s3.put("letter", b"0123456789").await;
    let get = || s3.client.get_object().bucket(s3.name()).key("letter").response_content_type("text/plain");
    let url = get().presigned(soon()).await.unwrap().uri().to_owned();
    let head = async |url: &str| Client::new().head(url).send().await.unwrap();

    let answer = head(&url).await;
    assert_eq!((answer.status().as_u16(), answer.headers()["content-length"].to_str().unwrap()), (200, "10"));
    assert_eq!(answer.headers()["content-type"], "text/plain");
    let range = Client::new().head(&url).header("range", "bytes=2-4").send().await.unwrap();
    assert_eq!((range.status().as_u16(), range.headers()["content-length"].to_str().unwrap()), (206, "3"));

    let put = s3.client.put_object().bucket(s3.name()).key("letter").presigned(soon()).await.unwrap();
    let late = get().presigned(long_ago()).await.unwrap();
    for refused in [put.uri(), late.uri(), &url.replace("/letter?", "/other?"), &url.replace("plain", "html")]
    {
        assert_eq!(head(refused).await.status(), 403, "{refused}");
    }
    own.stop().await;
}

/// W04, U02: whatever a file claims to be, a browser keeps it as a file.
#[tokio::test]
async fn browsers_guess_nothing_and_open_nothing() {
    let root = tempfile::tempdir().unwrap();
    let own = OwnServer::start(root.path()).await;
    let s3 = own.bucket();
    s3.put("page.html", b"<script>alert(1)</script>").await;
    let get = || s3.client.get_object().bucket(s3.name()).key("page.html");
    let silent = get().presigned(soon()).await.unwrap();
    let inline = get().response_content_disposition("inline").presigned(soon()).await.unwrap();
    for (url, disposition) in [(silent.uri(), "attachment"), (inline.uri(), "inline")] {
        for method in [Method::GET, Method::HEAD] {
            let answer = Client::new().request(method, url).send().await.unwrap();
            assert_eq!(answer.headers()["content-disposition"], disposition);
            assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
        }
    }
    let refused = Client::new().get(format!("{}/vault/page.html", own.server.endpoint)).send().await.unwrap();
    assert_eq!(refused.status(), 403);
    assert_eq!(refused.headers()["x-content-type-options"], "nosniff");
    own.stop().await;
}

#[tokio::test]
async fn what_we_do_not_do_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let own = OwnServer::start(root.path()).await;
    let s3 = own.bucket();
    let put = || s3.client.put_object().bucket(s3.name()).key("k").body(b"x".to_vec().into());
    assert_eq!(code(put().tagging("a=b").send().await), "NotImplemented");
    let encrypted =
        put().server_side_encryption(aws_sdk_s3::types::ServerSideEncryption::AwsKms).send().await;
    assert_eq!(code(encrypted), "NotImplemented");
    assert_eq!(code(s3.client.get_object_acl().bucket(s3.name()).key("k").send().await), "NotImplemented");
    assert_eq!(s3.get("k").await, None);
    own.stop().await;
}
