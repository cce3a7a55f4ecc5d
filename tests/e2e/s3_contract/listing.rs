//! Lists are complete, in the order of the keys' bytes, and come in pages.

use super::server::Bucket;

/// In UTF-8 byte order.
const ODD: [&str; 14] = [
    "!",
    "../../etc/passwd",
    "./x",
    "/absolute",
    "A",
    "a b+c%2F",
    "a-b",
    "a//b",
    "a/b",
    "a0",
    "aa&<\"'>",
    "b?x=1#y",
    "ä/ö",
    "😀",
];

/// All keys and common prefixes, read in pages of `max_keys`.
async fn list(s3: &Bucket, prefix: &str, delimiter: Option<&str>, max_keys: i32) -> Vec<String> {
    let mut found = Vec::new();
    let mut token = None;
    loop {
        let request = s3.client.list_objects_v2().bucket(s3.name()).prefix(s3.key(prefix)).max_keys(max_keys);
        let request = request.set_delimiter(delimiter.map(str::to_owned)).set_continuation_token(token);
        let page = request.send().await.unwrap();
        let entries = page.contents().len() + page.common_prefixes().len();
        assert!(entries <= usize::try_from(max_keys).unwrap());
        let mut names: Vec<String> = page.contents().iter().filter_map(|object| object.key.clone()).collect();
        names.extend(page.common_prefixes().iter().filter_map(|common| common.prefix.clone()));
        names.sort();
        found.extend(names.iter().map(|name| name.strip_prefix(&s3.prefix).unwrap().to_owned()));
        token = page.next_continuation_token;
        assert_eq!(page.is_truncated.unwrap(), token.is_some());
        if token.is_none() {
            return found;
        }
    }
}

#[tokio::test]
async fn odd_keys_are_kept_apart_and_listed_in_byte_order() {
    let s3 = Bucket::new().await;
    for key in ODD.iter().rev() {
        s3.put(&s3.key(key), key.as_bytes()).await;
    }
    for max_keys in [1, 3, 1000] {
        assert_eq!(list(&s3, "", None, max_keys).await, ODD);
    }
    for key in ODD {
        assert_eq!(s3.get(&s3.key(key)).await.unwrap(), key.as_bytes());
    }
    assert_eq!(s3.get(&s3.key("a")).await, None);
}

#[tokio::test]
async fn a_delimiter_groups() {
    let s3 = Bucket::new().await;
    for key in ["a", "a/1", "a/2", "a/2/3", "b/1", "c"] {
        s3.put(&s3.key(key), b"x").await;
    }
    for max_keys in [1, 2, 1000] {
        assert_eq!(list(&s3, "", Some("/"), max_keys).await, ["a", "a/", "b/", "c"]);
        assert_eq!(list(&s3, "a/", Some("/"), max_keys).await, ["a/1", "a/2", "a/2/"]);
    }
}

#[tokio::test]
async fn start_after_skips() {
    let s3 = Bucket::new().await;
    for key in ["1", "2", "3"] {
        s3.put(&s3.key(key), b"x").await;
    }
    let request = s3.client.list_objects_v2().bucket(s3.name()).prefix(&s3.prefix).start_after(s3.key("1"));
    let page = request.send().await.unwrap();
    assert_eq!(page.key_count(), Some(2));
    assert_eq!(page.contents()[0].key(), Some(s3.key("2").as_str()));
    assert_eq!(page.contents()[0].size(), Some(1));
}

#[tokio::test]
async fn a_key_of_1024_bytes_is_kept_and_a_longer_one_refused() {
    let s3 = Bucket::new().await;
    let longest = s3.key(&"k".repeat(1024 - s3.prefix.len()));
    s3.put(&longest, b"x").await;
    assert_eq!(s3.get(&longest).await.unwrap(), b"x");
    let longer = s3.client.put_object().bucket(s3.name()).key(format!("{longest}k")).send().await;
    assert!(longer.is_err());
}
