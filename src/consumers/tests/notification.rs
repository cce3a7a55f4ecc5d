use aggregates::{AccessEvent, Actor, ApiTokenId, Metadata, Personal, Scope, SessionId, User, UserCommand};
use event_store::Context as CommandContext;

use super::*;
use crate::consumers::notification::Notification;
use crate::fixture::Person;

fn context(vault: &Vault, person: &Person) -> CommandContext {
    let clock = vault.app.store.clock();
    let metadata = Metadata {
        actor: Actor::User(person.id),
        correlation_id: clock.new_id(),
        causation_id: None,
        occurred_at: clock.now(),
        ip: None,
    };
    CommandContext { owner_id: person.id, metadata, idempotency: None }
}

/// Somebody uses an old token of `person`.
async fn reuse_token(vault: &Vault, person: &Person) {
    let (store, user) = (&vault.app.store, person.id);
    let event = AccessEvent::RefreshTokenReused { session_id: SessionId(store.clock().new_id()) };
    let record = store.execute(context(vault, person), move |unit| {
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

/// What changes how somebody signs in is told to them.
#[sqlx::test(migrations = "./migrations")]
async fn a_changed_account_is_told_to_its_owner(pool: PgPool) {
    let (vault, nats) = (Vault::open(&pool).await, NatsServer::start().await);
    let user = vault.user().await;
    let now = vault.app.clock().now();
    for command in [
        UserCommand::ChangePassword,
        UserCommand::ResetPassword,
        UserCommand::IssueTemporaryPassword,
        UserCommand::StartTotpEnrollment,
        UserCommand::EnableTotp,
        UserCommand::ReplaceBackupCodes,
        UserCommand::DisableTotp,
        UserCommand::CreateApiToken {
            token_id: ApiTokenId(vault.app.clock().new_id()),
            name: Personal::new(user.id, "script".into()),
            scopes: vec![Scope::Read],
            expires_at: now,
        },
        UserCommand::VerifyEmail,
    ] {
        let id = user.id.0;
        let changed = vault.app.store.execute(context(&vault, &user), move |unit| {
            let command = command.clone();
            async move {
                let mut user = unit.load::<User>(id).await?;
                unit.handle(&mut user, command).await.map_err(anyhow::Error::from)
            }
            .boxed()
        });
        assert_eq!(changed.await.unwrap().value, 1);
    }
    let _running = (
        start_relay_for(&vault, &nats, durables(&vault.app)),
        start(Notification { store: vault.app.store.clone() }, &vault, &nats),
    );
    let expected = [
        "password_changed",
        "password_reset",
        "temporary_password_issued",
        "totp_enabled",
        "backup_codes_replaced",
        "totp_disabled",
        "api_token_created",
    ];
    let mails = async || {
        let rows = sqlx::query_scalar::<_, String>("SELECT kind FROM outbox ORDER BY event_id");
        rows.fetch_all(&pool).await.unwrap()
    };
    eventually("each is told of", async || mails().await == expected).await;
}
