//! Many writers and processes at once: every position once, in order, and no update lost.

use std::sync::atomic::{AtomicUsize, Ordering};

use aggregates::{Quota, QuotaCommand, UploadId, UserId};
use event_store::{EventStore, ExecuteError, UnitError};
use futures::future::join_all;
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use crate::unknown::terminate_appends;
use crate::vault::{self, Refusal};

const WRITERS: usize = 16;

async fn reserve(store: &EventStore, user: UserId, bytes: u64) -> vault::Outcome<usize> {
    let upload_id = UploadId(store.clock().new_id());
    vault::send::<Quota>(store, user, user.0, QuotaCommand::Reserve { upload_id, bytes }).await
}

/// Follows the log by the watch until it has seen `expected` events; the positions as they came.
async fn tail(store: EventStore, expected: usize) -> Vec<i64> {
    let stop = CancellationToken::new();
    let (mut head, mut seen) = (store.watch(stop.clone()), Vec::new());
    while seen.len() < expected {
        let after = seen.last().copied().unwrap_or(0);
        assert!(head.beyond(after).await);
        seen.extend(store.read(after, 7).await.unwrap().iter().map(|event| event.position));
    }
    stop.cancel();
    seen
}

/// 16 writers with 20 commands each on random streams of 5 people, and a reader that tails the log meanwhile.
async fn write_while_tailing(admin: &PgPool, kills: usize) {
    let stores = [vault::store(admin).await, vault::store(admin).await];
    let people = join_all((0..5).map(|_| vault::person(&stores[0], u64::MAX))).await;
    let expected = 10 + WRITERS * 20 * 2;
    let reader = tokio::spawn(tail(vault::store(admin).await, expected));
    let done = AtomicUsize::new(0);
    let writer = async |writer: usize| {
        for n in 0..20 {
            let person = people[rand::random_range(0..people.len())];
            vault::request_upload(&stores[(writer + n) % 2], person, 1).await.unwrap();
            done.fetch_add(1, Ordering::SeqCst);
        }
    };
    let killer = async {
        for kill in 1..=kills {
            while done.load(Ordering::SeqCst) < kill * 60 || terminate_appends(stores[0].pool()).await == 0 {
                tokio::task::yield_now().await;
            }
        }
    };
    futures::join!(join_all((0..WRITERS).map(writer)), killer);
    let seen = reader.await.unwrap();
    assert_eq!(seen.len(), expected);
    assert!((1..).zip(&seen).all(|(expected, position)| expected == *position), "{seen:?}");
    vault::assert_dense(admin).await;
}

#[sqlx::test(migrations = "../migrations")]
async fn a_reader_sees_every_position_once_and_in_order(admin: PgPool) {
    write_while_tailing(&admin, 0).await;
}

#[sqlx::test(migrations = "../migrations")]
async fn so_it_does_when_backends_are_killed(admin: PgPool) {
    write_while_tailing(&admin, 3).await;
}

#[sqlx::test(migrations = "../migrations")]
async fn one_hot_stream_takes_every_command(admin: PgPool) {
    let store = vault::store(&admin).await;
    let user = vault::person(&store, u64::MAX).await;
    let writers = join_all((0..WRITERS).map(async |_| {
        for _ in 0..25 {
            reserve(&store, user, 1).await.unwrap();
        }
    }));
    writers.await;
    let (quota, sequence) = store.load::<Quota>(&user.to_string()).await.unwrap();
    assert_eq!((quota.reserved(), sequence), (400, 401));
}

#[sqlx::test(migrations = "../migrations")]
async fn two_processes_on_one_stream_lose_nothing(admin: PgPool) {
    let stores = [vault::store(&admin).await, vault::store(&admin).await];
    let user = vault::person(&stores[0], u64::MAX).await;
    let writers = join_all((0..WRITERS).map(async |writer| {
        for _ in 0..15 {
            reserve(&stores[writer % 2], user, 1).await.unwrap();
        }
    }));
    writers.await;
    let (quota, sequence) = stores[0].load::<Quota>(&user.to_string()).await.unwrap();
    assert_eq!((quota.reserved(), sequence), (240, 241));
}

#[sqlx::test(migrations = "../migrations")]
async fn racing_for_the_last_bytes_fills_a_quota_exactly(admin: PgPool) {
    let stores = [vault::store(&admin).await, vault::store(&admin).await];
    let user = vault::person(&stores[0], 30).await;
    let outcomes = join_all((0..100).map(|n| vault::request_upload(&stores[n % 2], user, 1))).await;
    let taken = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    for error in outcomes.into_iter().filter_map(Result::err) {
        let full = matches!(&error, ExecuteError::Refused(Refusal::Quota(UnitError::Refused(_))));
        assert!(full, "{error:?}");
    }
    let (quota, _) = stores[1].load::<Quota>(&user.to_string()).await.unwrap();
    assert_eq!((taken, quota.reserved()), (30, 30));
}
