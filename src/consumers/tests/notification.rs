use aggregates::{AccessEvent, Actor, Metadata, SessionId};
use event_store::Context as CommandContext;

use super::*;
use crate::consumers::notification::Notification;
use crate::fixture::Person;

/// Somebody uses an old token of `person`.
async fn reuse_token(vault: &Vault, person: &Person) {
    let (store, user) = (&vault.app.store, person.id);
    let metadata = Metadata {
        actor: Actor::User(user),
        correlation_id: store.clock().new_id(),
        causation_id: None,
        occurred_at: store.clock().now(),
        ip: None,
    };
    let event = AccessEvent::RefreshTokenReused { session_id: SessionId(store.clock().new_id()) };
    let context = CommandContext { owner_id: user, metadata, idempotency: None };
    let record = store.execute(context, move |unit| {
        let recorded = unit.record(user, &event).map_err(anyhow::Error::from);
        async move { recorded }.boxed()
    });
    record.await.unwrap();
}

/// F10: the event comes twice, at two instances, and again with a new stream: one mail. Other events make none.
#[sqlx::test(migrations = "./migrations")]
async fn an_event_puts_one_mail_into_the_outbox(pool: PgPool) {
    let (vault, mut nats) = (Vault::open(&pool).await, NatsServer::start().await);
    let user = vault.user().await;
    reuse_token(&vault, &user).await;
    let instance = || Notification { store: vault.app.store.clone() };
    let _running = (
        start_relay_for(&vault, &nats, durables(&vault.app)),
        start(instance(), &vault, &nats),
        start(instance(), &vault, &nats),
    );
    let mails = async || {
        let rows = sqlx::query_as::<_, (Uuid, String)>("SELECT recipient, kind FROM outbox");
        rows.fetch_all(&pool).await.unwrap()
    };
    let one = (user.id.0, "token_reused".to_owned());
    eventually("a mail waits", async || mails().await == [one.clone()]).await;
    nats.die().await;
    nats.lose_store();
    nats.come_back().await;
    reuse_token(&vault, &user).await;
    eventually("another mail waits", async || mails().await == [one.clone(), one.clone()]).await;
}
