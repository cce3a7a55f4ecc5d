//! Snapshots make loading fast and change nothing: whatever becomes of them, the log says the same.

use aggregates::{Quota, QuotaCommand, UploadId, UserId};
use cqrs_es::Aggregate;
use cqrs_es::persist::PersistedEventRepository;
use event_store::{EventStore, SealedRepository};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use sqlx::PgPool;
use uuid::Uuid;

use crate::vault;

/// Sequence of the snapshot of `id`; 0: there is none.
async fn kept(admin: &PgPool, id: &str) -> i64 {
    let query = "SELECT coalesce(max(sequence), 0) FROM snapshots WHERE aggregate_id = $1";
    sqlx::query_scalar(query).bind(id).fetch_one(admin).await.unwrap()
}

async fn wait_for(admin: &PgPool, id: &str, sequence: i64) {
    while kept(admin, id).await < sequence {
        tokio::task::yield_now().await;
    }
}

async fn change(admin: &PgPool, sql: &str) {
    assert!(sqlx::query(sql).execute(admin).await.unwrap().rows_affected() > 0, "{sql}");
}

/// Appends to the quota of `user` until it has `events` events.
async fn grow(store: &EventStore, user: UserId, events: i64, random: &mut StdRng) {
    let mut open = Vec::new();
    let mut sequence = store.load::<Quota>(&user.to_string()).await.unwrap().1;
    while sequence < events {
        let command = match random.random_range(0..4) {
            0 => QuotaCommand::ChangeLimit { limit: random.random_range(1_000_000..2_000_000) },
            1 if !open.is_empty() => QuotaCommand::Commit { upload_id: open.swap_remove(0) },
            2 if !open.is_empty() => QuotaCommand::Release { upload_id: open.swap_remove(0) },
            _ => {
                open.push(UploadId(store.clock().new_id()));
                QuotaCommand::Reserve { upload_id: open[open.len() - 1], bytes: random.random_range(0..1000) }
            }
        };
        sequence +=
            i64::try_from(vault::send::<Quota>(store, user, user.0, command).await.unwrap().value).unwrap();
    }
}

/// The state that the events alone give.
async fn folded(store: &EventStore, id: &str) -> Quota {
    let events =
        SealedRepository::new(store.clone(), UserId(Uuid::nil())).get_events::<Quota>(id).await.unwrap();
    events.into_iter().fold(Quota::default(), |mut state, event| {
        state.apply(serde_json::from_value(event.payload).unwrap());
        state
    })
}

/// A fresh process loads what the events alone give.
async fn loads_right(admin: &PgPool, user: UserId) {
    let (store, id) = (vault::store(admin).await, user.to_string());
    let (state, sequence) = store.load::<Quota>(&id).await.unwrap();
    assert_eq!(state, folded(&store, &id).await);
    let last: i64 = sqlx::query_scalar(
        "SELECT max(sequence) FROM events WHERE aggregate_id = $1 AND aggregate_type = 'quota'",
    )
    .bind(&id)
    .fetch_one(admin)
    .await
    .unwrap();
    assert_eq!(sequence, last);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_hundred_events_make_one_and_the_state_is_the_same_with_it(admin: PgPool) {
    let store = vault::store(&admin).await;
    let mut random = StdRng::seed_from_u64(11);
    for events in [99, 100, 130, 250] {
        let user = vault::person(&store, 1_000_000).await;
        grow(&store, user, events, &mut random).await;
        let id = user.to_string();
        wait_for(&admin, &id, events / 100 * 100).await;
        assert_eq!(kept(&admin, &id).await, events / 100 * 100);
        loads_right(&admin, user).await;
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn what_is_no_use_is_passed_over(admin: PgPool) {
    let store = vault::store(&admin).await;
    let mut random = StdRng::seed_from_u64(12);
    let (user, other) = (vault::person(&store, 1_000_000).await, vault::person(&store, 1_000_000).await);
    grow(&store, user, 120, &mut random).await;
    grow(&store, other, 120, &mut random).await;
    wait_for(&admin, &user.to_string(), 100).await;
    wait_for(&admin, &other.to_string(), 100).await;
    change(&admin, "CREATE TABLE good AS SELECT * FROM snapshots").await;
    // Loading would put a good one in its place.
    sqlx::query("REVOKE INSERT ON snapshots FROM docuvault_app").execute(&admin).await.unwrap();

    for (what, sql) in [
        (
            "altered",
            "UPDATE snapshots SET sealed = set_byte(sealed, 40, get_byte(sealed, 40) # 1)".to_owned(),
        ),
        ("not sealed at all", "UPDATE snapshots SET sealed = '{}'".to_owned()),
        ("of an older version", "UPDATE snapshots SET state_version = 0".to_owned()),
        ("of a newer version", "UPDATE snapshots SET state_version = state_version + 1".to_owned()),
        (
            "somebody else's",
            format!(
                "UPDATE snapshots SET sealed = good.sealed, owner_id = good.owner_id FROM good
                 WHERE good.aggregate_id = '{other}' AND snapshots.aggregate_id = '{user}'"
            ),
        ),
        (
            "moved to another event",
            "UPDATE snapshots s SET sequence = e.sequence, event_id = e.event_id FROM events e
             WHERE e.aggregate_type = 'quota' AND e.aggregate_id = s.aggregate_id AND e.sequence = 110"
                .to_owned(),
        ),
        ("ahead of the log", "UPDATE snapshots SET sequence = 1000".to_owned()),
        ("of an event that the log lost", "UPDATE snapshots SET event_id = gen_random_uuid()".to_owned()),
    ] {
        change(&admin, &sql).await;
        loads_right(&admin, user).await;
        change(&admin, "DELETE FROM snapshots").await;
        change(&admin, "INSERT INTO snapshots SELECT * FROM good").await;
        assert_eq!(kept(&admin, &user.to_string()).await, 100, "{what}");
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn one_that_the_log_contradicts_is_replaced(admin: PgPool) {
    let store = vault::store(&admin).await;
    let user = vault::person(&store, 1_000_000).await;
    let id = user.to_string();
    grow(&store, user, 120, &mut StdRng::seed_from_u64(13)).await;
    wait_for(&admin, &id, 100).await;
    change(&admin, "UPDATE snapshots SET sequence = 1000").await;
    // A load that folded a hundred events leaves a good one behind.
    loads_right(&admin, user).await;
    while kept(&admin, &id).await != 120 {
        tokio::task::yield_now().await;
    }
    loads_right(&admin, user).await;
}

#[sqlx::test(migrations = "../migrations")]
async fn a_load_reads_only_what_came_after(admin: PgPool) {
    let store = vault::store(&admin).await;
    let user = vault::person(&store, 1_000_000).await;
    let id = user.to_string();
    grow(&store, user, 150, &mut StdRng::seed_from_u64(14)).await;
    wait_for(&admin, &id, 100).await;
    let right = store.load::<Quota>(&id).await.unwrap();
    // An event below the snapshot that nobody could fold: it is not looked at.
    for sql in [
        "ALTER TABLE events DISABLE TRIGGER append_only",
        "UPDATE events SET payload = '{}' WHERE aggregate_type = 'quota' AND sequence = 50",
    ] {
        sqlx::query(sql).execute(&admin).await.unwrap();
    }
    let fresh = vault::store(&admin).await;
    assert_eq!(fresh.load::<Quota>(&id).await.unwrap(), right);
}

#[sqlx::test(migrations = "../migrations")]
async fn erasure_takes_it_along(admin: PgPool) {
    let store = vault::store(&admin).await;
    let user = vault::person(&store, 1_000_000).await;
    let id = user.to_string();
    grow(&store, user, 120, &mut StdRng::seed_from_u64(15)).await;
    wait_for(&admin, &id, 100).await;
    change(&admin, "CREATE TABLE backup AS SELECT * FROM snapshots").await;
    change(&admin, "UPDATE user_keys SET wrapped = NULL").await;
    assert_eq!(kept(&admin, &id).await, 0);
    // Back from a backup it does not open; the quota holds nothing personal, so its events still fold.
    change(&admin, "INSERT INTO snapshots SELECT * FROM backup").await;
    loads_right(&admin, user).await;
    // A process that has the key at hand folds a hundred events, and keeps nothing.
    change(&admin, "DELETE FROM snapshots").await;
    store.load::<Quota>(&id).await.unwrap();
    let another = vault::person(&store, 1_000_000).await;
    grow(&store, another, 100, &mut StdRng::seed_from_u64(16)).await;
    wait_for(&admin, &another.to_string(), 100).await;
    assert_eq!(kept(&admin, &id).await, 0);
}

#[sqlx::test(migrations = "../migrations")]
async fn two_processes_leave_the_newest(admin: PgPool) {
    let stores = [vault::store(&admin).await, vault::store(&admin).await];
    let user = vault::person(&stores[0], 1_000_000).await;
    let id = user.to_string();
    let writers = stores.each_ref().map(|store| {
        let store = store.clone();
        tokio::spawn(async move {
            for n in 0..100 {
                let reserve = QuotaCommand::Reserve { upload_id: UploadId(store.clock().new_id()), bytes: n };
                vault::send::<Quota>(&store, user, user.0, reserve).await.unwrap();
            }
        })
    });
    for writer in writers {
        writer.await.unwrap();
    }
    wait_for(&admin, &id, 200).await;
    loads_right(&admin, user).await;
}
