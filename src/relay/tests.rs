use std::time::Duration;

use async_nats::jetstream::Context;
use async_nats::jetstream::stream;
use http::StatusCode;
use projections::Subscriptions;
use serde_json::Value;
use sqlx::{Connection, Executor, PgConnection, PgPool};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::run;
use crate::doctor::after_restore;
use crate::fixture::{NatsServer, Vault, eventually};
use crate::nats::{Durable, STREAM};

const DURABLES: [Durable; 1] = [Durable { name: "audit", subjects: &["docuvault.>"] }];

/// Runs a relay until the guard is dropped.
fn relay(vault: &Vault, nats: &NatsServer) -> DropGuard {
    let stop = CancellationToken::new();
    let store = vault.app.store.clone();
    let head = store.watch(stop.clone());
    let subscriptions = Subscriptions { store, head, alone: false };
    tokio::spawn(run(subscriptions, nats.config(), DURABLES.to_vec(), stop.clone()));
    stop.drop_guard()
}

/// Messages of the stream, if it holds all up to its last sequence.
async fn messages(client: &Context) -> i64 {
    let Ok(stream) = client.get_stream(STREAM).await else { return -1 };
    let state = &stream.cached_info().state;
    if state.messages == state.last_sequence { i64::try_from(state.messages).unwrap() } else { -1 }
}

async fn message(client: &Context, position: i64) -> (String, Value) {
    let stream = client.get_stream(STREAM).await.unwrap();
    let message = stream.get_raw_message(u64::try_from(position).unwrap()).await.unwrap();
    (message.subject.to_string(), serde_json::from_slice(&message.payload).unwrap())
}

async fn in_step(vault: &Vault, client: &Context) {
    let head = vault.app.store.head().await.unwrap();
    eventually("the stream is the log", async || {
        messages(client).await == head && checkpoint(vault).await.0 == head
    })
    .await;
}

/// Position and error.
async fn checkpoint(vault: &Vault) -> (i64, Option<String>) {
    sqlx::query_as("SELECT coalesce(max(position), -1), max(error) FROM checkpoints WHERE name = 'relay'")
        .fetch_one(vault.app.store.pool())
        .await
        .unwrap()
}

#[sqlx::test(migrations = "./migrations")]
async fn events_go_out_sealed_in_order_and_as_cloud_events(pool: PgPool) {
    let (vault, nats) = (Vault::open(&pool).await, NatsServer::start().await);
    let user = vault.user().await;
    user.upload("Secret plans.txt", b"hello").await;
    let (_relay, client) = (relay(&vault, &nats), nats.client("relay").await);
    in_step(&vault, &client).await;
    let lineage = vault.app.store.lineage().await.unwrap();
    for position in 1..=vault.app.store.head().await.unwrap() {
        let (subject, event) = message(&client, position).await;
        let held = vault.app.store.read_at(&[position]).await.unwrap().remove(&position).unwrap();
        assert_eq!(event["specversion"], "1.0");
        assert_eq!(event["id"], held.event_id.to_string());
        assert_eq!(event["source"], format!("urn:docuvault:log:{lineage}"));
        assert_eq!((&event["position"], &event["sequence"]), (&position.into(), &held.sequence.into()));
        assert_eq!(event["data"], serde_json::from_str::<Value>(&held.payload).unwrap());
        assert_eq!(event["type"], subject);
        assert!(subject.starts_with(&format!("docuvault.{}.", held.aggregate_type)), "{subject}");
        assert!(!event.to_string().contains("Secret plans") && !event.to_string().contains("example.com"));
    }
}

/// F05: commands go on without NATS, and what it has lost is published again.
#[sqlx::test(migrations = "./migrations")]
async fn nats_may_die_and_lose_everything(pool: PgPool) {
    let (vault, mut nats) = (Vault::open(&pool).await, NatsServer::start().await);
    let user = vault.user().await;
    let (_relay, client) = (relay(&vault, &nats), nats.client("relay").await);
    in_step(&vault, &client).await;

    nats.die().await;
    assert_eq!(user.request("meanwhile.txt", b"hello").await.status, StatusCode::CREATED);
    let given_back = "SELECT holder IS NULL FROM checkpoints WHERE name = 'relay'";
    eventually("another relay may try", async || {
        sqlx::query_scalar(given_back).fetch_one(&pool).await.unwrap()
    })
    .await;
    assert_eq!(checkpoint(&vault).await.1, None, "it waits, and is not stopped at an event");
    nats.lose_store();
    nats.come_back().await;
    in_step(&vault, &client).await;
    eventually("all is well", async || checkpoint(&vault).await.1.is_none()).await;
    let stream = client.get_stream(STREAM).await.unwrap();
    assert_eq!(stream.cached_info().state.consumer_count, 1);
}

/// F02, F10: what was published but not marked is not published twice, also when the server no longer knows duplicates.
#[sqlx::test(migrations = "./migrations")]
async fn a_relay_killed_before_the_mark_repeats_nothing(pool: PgPool) {
    let (vault, nats) = (Vault::open(&pool).await, NatsServer::start().await);
    vault.user().await;
    let client = nats.client("relay").await;
    let forgetful = stream::Config {
        name: STREAM.into(),
        subjects: vec!["docuvault.>".into()],
        duplicate_window: Duration::from_millis(100),
        ..stream::Config::default()
    };
    client.create_stream(forgetful).await.unwrap();
    let first = relay(&vault, &nats);
    in_step(&vault, &client).await;
    drop(first);
    sqlx::query("UPDATE checkpoints SET position = 0 WHERE name = 'relay'").execute(&pool).await.unwrap();
    let _second = relay(&vault, &nats);
    in_step(&vault, &client).await;
}

/// W10: a message that is not the relay's makes the copy worthless, not the relay.
#[sqlx::test(migrations = "./migrations")]
async fn a_stream_that_somebody_meddled_with_is_made_again(pool: PgPool) {
    let (vault, nats) = (Vault::open(&pool).await, NatsServer::start().await);
    vault.user().await;
    let (_relay, client) = (relay(&vault, &nats), nats.client("relay").await);
    in_step(&vault, &client).await;
    let forged = client.publish("docuvault.user.user_registered", "{}".into()).await.unwrap().await.unwrap();
    let head = vault.app.store.head().await.unwrap();
    assert_eq!(i64::try_from(forged.sequence).unwrap(), head + 1);
    in_step(&vault, &client).await;
    assert_eq!(message(&client, head).await.1["position"], head);
}

/// A database restored from a backup stops the relay until the doctor has been asked; twice is once.
#[sqlx::test(migrations = "./migrations")]
async fn a_restored_log_stops_the_relay_until_the_doctor_comes(pool: PgPool) {
    let nats = NatsServer::start().await;
    let client = nats.client("relay").await;
    let vault = Vault::open(&pool).await;
    vault.user().await;
    drop(vault);
    let backup = copy_database(&pool).await;
    let vault = Vault::open(&pool).await;
    vault.user().await;
    let running = relay(&vault, &nats);
    in_step(&vault, &client).await;
    let (lost, former) = (vault.app.store.head().await.unwrap(), vault.app.store.lineage().await.unwrap());
    drop((running, vault));

    let vault = Vault::open(&backup).await;
    let _running = relay(&vault, &nats);
    eventually("it stops", async || {
        checkpoint(&vault).await.1.is_some_and(|error| error.contains("--after-restore"))
    })
    .await;
    let head = vault.app.store.head().await.unwrap();
    assert_eq!(messages(&client).await, lost, "the relay touched the stream");

    let migrating = vault.store_of(&backup).await;
    let restored = after_restore(&migrating, Some(&nats.config())).await.unwrap();
    assert_eq!(restored.position, Some(head + 1));
    assert!(restored.purged);
    in_step(&vault, &client).await;
    let (subject, event) = message(&client, head + 1).await;
    assert_eq!(subject, "docuvault.log.log_restored");
    let told = &event["data"]["LogRestored"];
    assert_eq!((&told["first_lost"], &told["last_lost"]), (&(head + 1).into(), &lost.into()));
    assert_eq!(told["former_lineage"], former.to_string());

    let again = after_restore(&migrating, Some(&nats.config())).await.unwrap();
    assert_eq!((again.position, again.lineage), (None, restored.lineage));
    in_step(&vault, &client).await;
    backup.close().await;
}

/// A copy of the test's database as it is now: what a backup would hold.
async fn copy_database(pool: &PgPool) -> PgPool {
    let options = pool.connect_options().as_ref().clone();
    let original = options.get_database().unwrap().to_owned();
    // The names of test databases are as long as names can be.
    let copy = original.replacen("_sqlx_test", "backup", 1);
    let mut admin = PgConnection::connect_with(&options.clone().database("postgres")).await.unwrap();
    let end = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{original}'");
    let create = format!(r#"CREATE DATABASE "{copy}" TEMPLATE "{original}""#);
    let mut tries = 0;
    loop {
        admin.execute(sqlx::raw_sql(&end)).await.unwrap();
        match admin.execute(sqlx::raw_sql(&create)).await {
            Ok(_) => break,
            Err(error) if tries == 5 => panic!("{error}"),
            Err(_) => tries += 1,
        }
    }
    let grant = format!(r#"GRANT CONNECT, TEMPORARY ON DATABASE "{copy}" TO docuvault_app"#);
    admin.execute(sqlx::raw_sql(&grant)).await.unwrap();
    PgPool::connect_with(options.database(&copy)).await.unwrap()
}
