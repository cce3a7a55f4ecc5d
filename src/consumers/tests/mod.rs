mod audit;
mod notification;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use aggregates::Role;
use anyhow::anyhow;
use async_nats::jetstream::Context;
use async_nats::jetstream::consumer::PullConsumer;
use event_store::RecordedEvent;
use futures::FutureExt;
use futures::future::BoxFuture;
use http::StatusCode;
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio_util::sync::{CancellationToken, DropGuard};
use uuid::Uuid;

use super::{Consumer, TRIES, Trouble, durables, run};
use crate::blobs::BlobError;
use crate::fixture::{NatsServer, Vault, eventually};
use crate::nats::{Durable, STREAM};
use crate::relay;

const SUBJECTS: &[&str] = &["docuvault.>"];

/// Counts how often it handled each event; fails on one position.
#[derive(Clone, Default)]
struct Recorder {
    handled: Arc<Mutex<BTreeMap<i64, u32>>>,
    poison: Arc<AtomicI64>,
    /// So often, what it needs is away.
    away: Arc<AtomicI64>,
}

impl Consumer for Recorder {
    fn name(&self) -> &'static str {
        "classification"
    }

    fn subjects(&self) -> &'static [&'static str] {
        SUBJECTS
    }

    fn handle(&self, event: RecordedEvent) -> BoxFuture<'_, Result<(), Trouble>> {
        async move {
            if event.position == self.poison.load(Ordering::SeqCst) {
                return Err(Trouble::Failed(anyhow!("this one is bad")));
            }
            if self.away.fetch_sub(1, Ordering::SeqCst) > 0 {
                return Err(anyhow::Error::from(BlobError::Unavailable("away".into())).into());
            }
            *self.handled.lock().unwrap().entry(event.position).or_default() += 1;
            Ok(())
        }
        .boxed()
    }
}

/// Runs an instance of `consumer` until the guard is dropped.
fn start(consumer: impl Consumer, vault: &Vault, nats: &NatsServer) -> DropGuard {
    let stop = CancellationToken::new();
    tokio::spawn(run(Arc::new(consumer), vault.app.store.clone(), nats.config(), stop.clone()));
    stop.drop_guard()
}

impl Recorder {
    fn start(&self, vault: &Vault, nats: &NatsServer) -> DropGuard {
        start(self.clone(), vault, nats)
    }

    fn positions(&self) -> Vec<i64> {
        self.handled.lock().unwrap().keys().copied().collect()
    }
}

fn start_relay(vault: &Vault, nats: &NatsServer) -> DropGuard {
    start_relay_for(vault, nats, vec![Durable { name: "classification", subjects: SUBJECTS }])
}

fn start_relay_for(vault: &Vault, nats: &NatsServer, durables: Vec<Durable>) -> DropGuard {
    let stop = CancellationToken::new();
    tokio::spawn(relay::run(vault.subscriptions(), nats.config(), durables, stop.clone()));
    stop.drop_guard()
}

async fn head(vault: &Vault) -> i64 {
    vault.app.store.head().await.unwrap()
}

/// F11: five tries, then it is out of the way, until an administrator has it tried again.
#[sqlx::test(migrations = "./migrations")]
async fn a_poison_event_becomes_a_dead_letter_and_can_be_retried(pool: PgPool) {
    let (vault, nats) = (Vault::open(&pool).await, NatsServer::start().await);
    let (user, admin) = (vault.user().await, vault.person(Role::Admin, 1 << 20).await);
    let recorder = Recorder::default();
    recorder.poison.store(2, Ordering::SeqCst);
    let _running = (start_relay(&vault, &nats), recorder.start(&vault, &nats));
    let others: Vec<i64> = (1..=head(&vault).await).filter(|position| *position != 2).collect();
    eventually("the others flow on", async || recorder.positions() == others).await;

    let letters = async || admin.get("/admin/dead-letters").await.body["items"].as_array().unwrap().clone();
    eventually("it is given up", async || !letters().await.is_empty()).await;
    let letter = letters().await.remove(0);
    assert_eq!(
        (&letter["position"], &letter["tries"], &letter["state"]),
        (&json!(2), &json!(5), &json!("dead"))
    );
    assert_eq!(
        (&letter["consumer"], &letter["error"]),
        (&json!("classification"), &json!("this one is bad"))
    );
    assert_eq!(user.get("/admin/dead-letters").await.status, StatusCode::FORBIDDEN);

    let retry = format!("/admin/dead-letters/{}/retry", letter["id"].as_str().unwrap());
    assert_eq!(admin.post(&retry, Value::Null).await.status, StatusCode::ACCEPTED);
    eventually("it fails once more", async || letters().await[0]["tries"] == 6).await;
    recorder.poison.store(0, Ordering::SeqCst);
    assert_eq!(admin.post(&retry, Value::Null).await.status, StatusCode::ACCEPTED);
    eventually("the letter goes", async || letters().await.is_empty()).await;
    assert!(recorder.positions().contains(&2));
    assert_eq!(admin.post(&retry, Value::Null).await.status, StatusCode::NOT_FOUND);
}

/// F10: the same events come again when NATS has lost its store; two instances share the work.
#[sqlx::test(migrations = "./migrations")]
async fn instances_compete_and_a_refilled_stream_comes_again(pool: PgPool) {
    let (vault, mut nats) = (Vault::open(&pool).await, NatsServer::start().await);
    for _ in 0..10 {
        vault.user().await;
    }
    let recorder = Recorder::default();
    let _running = (start_relay(&vault, &nats), recorder.start(&vault, &nats), recorder.start(&vault, &nats));
    let head = head(&vault).await;
    let all_times = |times| {
        move |handled: &BTreeMap<i64, u32>| handled.len() == 20 && handled.values().all(|n| *n == times)
    };
    assert_eq!(head, 20);
    eventually("each once", async || all_times(1)(&recorder.handled.lock().unwrap())).await;
    nats.die().await;
    nats.lose_store();
    nats.come_back().await;
    eventually("each twice", async || all_times(2)(&recorder.handled.lock().unwrap())).await;
}

/// F06: what is away for longer than five tries would take costs none, and nobody has to retry anything.
#[sqlx::test(migrations = "./migrations")]
async fn what_is_unavailable_is_waited_for(pool: PgPool) {
    let (vault, nats) = (Vault::open(&pool).await, NatsServer::start().await);
    vault.user().await;
    let recorder = Recorder::default();
    recorder.away.store(i64::from(TRIES) + 1, Ordering::SeqCst);
    let _running = (start_relay(&vault, &nats), recorder.start(&vault, &nats));
    eventually("it is handled", async || recorder.positions() == [1, 2]).await;
    assert!(recorder.away.load(Ordering::SeqCst) < 0, "it was away");
    let counted: i64 =
        sqlx::query_scalar("SELECT count(*) FROM dead_letters").fetch_one(&pool).await.unwrap();
    assert_eq!(counted, 0);
}

async fn settled(client: &Context) -> bool {
    let durable: Result<PullConsumer, _> = client.get_consumer_from_stream("classification", STREAM).await;
    let Ok(mut durable) = durable else { return false };
    let info = durable.info().await.unwrap();
    info.num_pending == 0 && info.num_ack_pending == 0
}

/// W10: a consumer acts on what the log holds, whatever a message says.
#[sqlx::test(migrations = "./migrations")]
async fn a_forged_message_moves_nothing(pool: PgPool) {
    let (vault, nats) = (Vault::open(&pool).await, NatsServer::start().await);
    vault.user().await;
    let recorder = Recorder::default();
    let relay = start_relay(&vault, &nats);
    let client = nats.client("classification").await;
    let _running = recorder.start(&vault, &nats);
    eventually("the genuine ones", async || recorder.positions() == [1, 2]).await;
    drop(relay);

    let publisher = nats.client("relay").await;
    let lineage = vault.app.store.lineage().await.unwrap();
    let genuine = vault.app.store.read_at(&[1]).await.unwrap().remove(&1).unwrap().event_id;
    let source = format!("urn:docuvault:log:{lineage}");
    let other = format!("urn:docuvault:log:{}", Uuid::nil());
    for forged in [
        json!("nonsense"),
        json!({ "id": Uuid::nil(), "source": source, "position": 1, "data": {} }),
        json!({ "id": genuine, "source": source, "position": 2, "data": {} }),
        json!({ "id": genuine, "source": other, "position": 1, "data": {} }),
        json!({ "id": genuine, "source": source, "position": 1_000_000, "data": {} }),
    ] {
        let body = forged.to_string().into();
        publisher.publish("docuvault.user.user_registered", body).await.unwrap().await.unwrap();
    }
    eventually("all are answered", async || settled(&client).await).await;
    assert_eq!(*recorder.handled.lock().unwrap(), BTreeMap::from([(1, 1), (2, 1)]));
}

/// W10: nobody gets in without a login, and a consumer can do no more than consume.
#[sqlx::test(migrations = "./migrations")]
async fn a_consumer_cannot_publish_nor_touch_the_stream(pool: PgPool) {
    let (vault, nats) = (Vault::open(&pool).await, NatsServer::start().await);
    vault.user().await;
    let _relay = start_relay(&vault, &nats);
    let recorder = Recorder::default();
    let _running = recorder.start(&vault, &nats);
    eventually("it can consume", async || recorder.positions() == [1, 2]).await;

    assert!(async_nats::connect(nats.address()).await.is_err(), "somebody came in without a login");
    for client in ["classification", "audit", "notification"] {
        let context = nats.client(client).await;
        let sent = context.publish("docuvault.user.user_registered", "{}".into()).await.unwrap().await;
        assert!(sent.is_err(), "{client} has published");
        assert!(context.delete_stream(STREAM).await.is_err(), "{client} has deleted the stream");
        assert!(context.get_stream(STREAM).await.is_err(), "{client} has seen the stream");
    }
    let stream = nats.client("relay").await.get_stream(STREAM).await.unwrap();
    assert_eq!(stream.cached_info().state.messages, 2);
}
