use futures::future::try_join_all;
use projections::{audit_trail, stopped};
use serde_json::Value;

use super::*;
use crate::consumers::audit::Audit;

async fn positions(pool: &PgPool) -> Vec<i64> {
    sqlx::query_scalar("SELECT position FROM audit_trail ORDER BY position").fetch_all(pool).await.unwrap()
}

async fn complete(vault: &Vault, pool: &PgPool) -> bool {
    positions(pool).await == (1..=head(vault).await).collect::<Vec<_>>()
}

fn instance(vault: &Vault) -> Audit {
    Audit::new(vault.app.store.clone())
}

/// F10: two instances, and every message twice and in the wrong order.
#[sqlx::test(migrations = "./migrations")]
async fn two_instances_and_disorder_leave_one_row_for_each_event(pool: PgPool) {
    let vault = Vault::without_audit(&pool).await;
    let user = vault.user().await;
    for name in ["1.txt", "2.txt", "3.txt"] {
        user.upload(name, b"hello").await;
    }
    let events = vault.app.store.read(0, 1_000).await.unwrap();
    let instances = [instance(&vault), instance(&vault)];
    let handled = |event: &RecordedEvent| instances.each_ref().map(|one| one.handle(event.clone()));
    try_join_all(events.iter().rev().flat_map(handled)).await.unwrap();
    try_join_all(events.iter().flat_map(handled)).await.unwrap();
    assert!(complete(&vault, &pool).await, "{:?}", positions(&pool).await);
}

/// W10: what somebody else publishes moves nothing, and neither does the stream that is made again because of it.
#[sqlx::test(migrations = "./migrations")]
async fn forged_messages_do_not_get_into_the_trail(pool: PgPool) {
    let (vault, nats) = (Vault::without_audit(&pool).await, NatsServer::start().await);
    let user = vault.user().await;
    let _running = (
        start_relay_for(&vault, &nats, durables(&vault.app)),
        start(instance(&vault), &vault, &nats),
        start(instance(&vault), &vault, &nats),
    );
    eventually("the trail is the log", async || complete(&vault, &pool).await).await;
    let publisher = nats.client("relay").await;
    let forged =
        json!({ "id": Uuid::nil(), "source": "urn:docuvault:log:nobody", "position": 1, "data": {} });
    let sent = publisher.publish("docuvault.user.user_registered", forged.to_string().into());
    sent.await.unwrap().await.unwrap();
    let uploaded = user.upload("after.txt", b"hello").await;
    eventually("it goes on", async || complete(&vault, &pool).await).await;
    assert!(uploaded["document_id"].is_string());
}

/// An auditor who names a position is shown a trail that holds it.
#[sqlx::test(migrations = "./migrations")]
async fn readers_wait_for_the_position_that_they_name(pool: PgPool) {
    let (vault, nats) = (Vault::without_audit(&pool).await, NatsServer::start().await);
    let (user, auditor) = (vault.user().await, vault.person(Role::Auditor, 0).await);
    let _running =
        (start_relay_for(&vault, &nats, durables(&vault.app)), start(instance(&vault), &vault, &nats));
    for round in 0..5 {
        let requested = user.request(&format!("{round}.txt"), b"hello").await;
        let position = requested.headers["docuvault-position"].to_str().unwrap().to_owned();
        let headers = [("docuvault-min-position", &*position)];
        let page = auditor.send(http::Method::GET, "/admin/audit?limit=1", &headers, Value::Null).await;
        assert!(!page.headers.contains_key("docuvault-stale"), "{page:?}");
        let newest = page.body["items"][0]["position"].as_i64().unwrap();
        assert!(newest >= position.parse().unwrap(), "{newest} of {position}");
    }
}

/// F11: an event that cannot be told stops the trail loudly, and nothing else, until the cause is mended.
#[sqlx::test(migrations = "./migrations")]
async fn a_poison_event_stops_the_trail_until_its_cause_is_mended(pool: PgPool) {
    let (vault, nats) = (Vault::without_audit(&pool).await, NatsServer::start().await);
    vault.user().await;
    sqlx::query(
        "INSERT INTO audit_trail (generation, position, event_id, at, actor, type, subject, details)
         SELECT generation, 2, gen_random_uuid(), now(), '', 'in the way', '', '{}'
         FROM serving_projections WHERE name = 'audit_trail'",
    )
    .execute(&pool)
    .await
    .unwrap();
    let recorder = Recorder::default();
    let mut all = durables(&vault.app);
    all.retain(|durable| durable.name != "classification");
    all.push(Durable { name: "classification", subjects: SUBJECTS });
    let _running = (
        start_relay_for(&vault, &nats, all),
        start(instance(&vault), &vault, &nats),
        recorder.start(&vault, &nats),
    );
    let trouble =
        async || stopped(&pool).await.unwrap().into_iter().find(|one| one.name == audit_trail::NAME);
    eventually("it stops", async || trouble().await.is_some()).await;
    assert!(!trouble().await.unwrap().error.is_empty());
    vault.user().await;
    let everything = (1..=head(&vault).await).collect::<Vec<_>>();
    eventually("others go on", async || recorder.positions() == everything).await;
    assert_eq!(positions(&pool).await, [1, 2], "nothing is passed over by itself");

    sqlx::query("DELETE FROM audit_trail WHERE type = 'in the way'").execute(&pool).await.unwrap();
    vault.user().await;
    eventually("it goes on", async || complete(&vault, &pool).await && trouble().await.is_none()).await;
}
