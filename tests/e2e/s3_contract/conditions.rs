//! Preconditions hold, also against each other.

use aws_sdk_s3::primitives::{ByteStream, DateTime};
use futures::future::join_all;

use super::server::{Bucket, code, status};

#[tokio::test]
async fn of_concurrent_puts_if_none_match_exactly_one_wins() {
    let s3 = Bucket::new().await;
    for round in 0..5 {
        let key = s3.key(&format!("race-{round}"));
        let puts = (0..8_u8).map(|n| {
            let put = s3.client.put_object().bucket(s3.name()).key(&key).if_none_match("*");
            put.body(vec![n; 1000].into()).send()
        });
        let outcomes = join_all(puts).await;
        let winners: Vec<usize> = (0..8).filter(|&n| outcomes[n].is_ok()).collect();
        assert_eq!(winners.len(), 1);
        assert_eq!(s3.get(&key).await.unwrap(), vec![u8::try_from(winners[0]).unwrap(); 1000]);
        for outcome in outcomes.into_iter().filter(Result::is_err) {
            assert!([409, 412].contains(&status(outcome)));
        }
    }
}

#[tokio::test]
async fn if_match_replaces_only_what_it_names() {
    let s3 = Bucket::new().await;
    let key = s3.key("versioned");
    let put = |tag: &str, body: &'static [u8]| {
        let put = s3.client.put_object().bucket(s3.name()).key(&key).if_match(tag);
        put.body(ByteStream::from_static(body)).send()
    };
    assert_eq!(status(put("\"0\"", b"never").await), 404);
    let first = s3.put(&key, b"one").await;
    let second = put(&first, b"two").await.unwrap().e_tag.unwrap();
    assert_eq!(code(put(&first, b"three").await), "PreconditionFailed");
    assert_eq!(s3.get(&key).await.unwrap(), b"two");
    assert_ne!(first, second);
}

#[tokio::test]
async fn reads_are_conditional() {
    let s3 = Bucket::new().await;
    let key = s3.key("read");
    let tag = s3.put(&key, b"body").await;
    let get = || s3.client.get_object().bucket(s3.name()).key(&key);
    assert!(get().if_match(&tag).send().await.is_ok());
    assert_eq!(status(get().if_match("\"0\"").send().await), 412);
    assert_eq!(status(get().if_none_match(&tag).send().await), 304);
    assert!(get().if_none_match("\"0\"").send().await.is_ok());

    let modified = *get().send().await.unwrap().last_modified().unwrap();
    let earlier = DateTime::from_secs(modified.secs() - 10);
    assert_eq!(status(get().if_modified_since(modified).send().await), 304);
    assert!(get().if_modified_since(earlier).send().await.is_ok());
    assert!(get().if_unmodified_since(modified).send().await.is_ok());
    assert_eq!(status(get().if_unmodified_since(earlier).send().await), 412);
}

#[tokio::test]
async fn a_conditional_delete_spares_another_object() {
    let s3 = Bucket::new().await;
    let key = s3.key("spared");
    let tag = s3.put(&key, b"body").await;
    let delete = |tag: &str| s3.client.delete_object().bucket(s3.name()).key(&key).if_match(tag).send();
    assert_eq!(status(delete("\"0\"").await), 412);
    assert!(s3.get(&key).await.is_some());
    delete(&tag).await.unwrap();
    assert!(s3.get(&key).await.is_none());
}
