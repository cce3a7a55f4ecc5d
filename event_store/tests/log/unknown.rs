//! Unknown is not failed: an append whose reply is lost happens once, and is answered as it happened.

use std::sync::Arc;

use aggregates::{AccessEvent, DocumentId, Quota, QuotaCommand, UserId};
use event_store::{Claim, Clock, CommandKey, Context, EventStore, IdempotencyError};
use futures::FutureExt;
use futures::future::join_all;
use serde_json::json;
use sqlx::PgPool;

use crate::proxy::Proxy;
use crate::vault::{self, MASTER_1, Outcome, Refusal};

/// A byte string of every append's metadata, and of nothing else that goes to the server.
const APPENDED: &str = "\"correlation_id\"";
/// The same within `append_or_fail`'s JSON.
const STATED: &str = "\\\"correlation_id\\\"";

async fn behind_proxy(admin: &PgPool, needle: &'static str) -> (Arc<Proxy>, EventStore) {
    let options = vault::app_options(admin);
    let proxy = Proxy::start(&options, needle).await;
    let store = vault::store_with(proxy.lead(options), MASTER_1, Clock::system()).await;
    (proxy, store)
}

async fn record(store: &EventStore, user: UserId) -> Outcome<()> {
    let event = AccessEvent::DocumentDownloaded { document_id: DocumentId(store.clock().new_id()) };
    store
        .execute(vault::context(store, user), move |unit| {
            let event = event.clone();
            async move { Ok::<_, Refusal>(unit.record(user, &event)?) }.boxed()
        })
        .await
}

#[sqlx::test(migrations = "../migrations")]
async fn a_command_whose_reply_is_lost_happens_once(admin: PgPool) {
    let (proxy, store) = behind_proxy(&admin, APPENDED).await;
    let user = vault::person(&store, 1000).await;
    proxy.lose(2);
    let executed = vault::request_upload(&store, user, 600).await.unwrap();
    assert_eq!((executed.position, proxy.lost()), (Some(4), 2));
    assert_eq!(store.load::<Quota>(&user.to_string()).await.unwrap().0.reserved(), 600);
    vault::assert_dense(&admin).await;
}

#[sqlx::test(migrations = "../migrations")]
async fn a_whole_batch_whose_reply_is_lost_happens_once(admin: PgPool) {
    let (proxy, store) = behind_proxy(&admin, APPENDED).await;
    let user = vault::person(&store, 100).await;
    proxy.lose(1);
    let executed = join_all((0..20).map(|_| vault::request_upload(&store, user, 5))).await;
    let mut positions: Vec<_> =
        executed.into_iter().map(|executed| executed.unwrap().position.unwrap()).collect();
    positions.sort_unstable();
    assert!(positions.iter().copied().eq((1..=20).map(|n| 2 + 2 * n)), "{positions:?}");
    assert_eq!(proxy.lost(), 1);
    vault::assert_dense(&admin).await;
}

#[sqlx::test(migrations = "../migrations")]
async fn a_statement_with_side_rows_whose_reply_is_lost_happens_once(admin: PgPool) {
    let (proxy, store) = behind_proxy(&admin, STATED).await;
    proxy.lose(2);
    let user = UserId(store.clock().new_id());
    assert_eq!(vault::register_as(&store, user).await.unwrap().position, Some(1));
    assert_eq!((proxy.lost(), vault::positions(&admin).await), (2, vec![1]));
    let keys: i64 = sqlx::query_scalar("SELECT count(*) FROM user_keys").fetch_one(&admin).await.unwrap();
    assert_eq!(keys, 1);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_blind_append_whose_reply_is_lost_happens_once(admin: PgPool) {
    let (proxy, store) = behind_proxy(&admin, APPENDED).await;
    let user = vault::register(&store).await;
    proxy.lose(2);
    assert_eq!(record(&store, user).await.unwrap().position, Some(2));
    assert_eq!(record(&store, user).await.unwrap().position, Some(3));
    assert_eq!((proxy.lost(), vault::positions(&admin).await), (2, vec![1, 2, 3]));
}

#[sqlx::test(migrations = "../migrations")]
async fn an_idempotent_command_whose_reply_is_lost_keeps_its_outcome(admin: PgPool) {
    let (proxy, store) = behind_proxy(&admin, APPENDED).await;
    let user = vault::register(&store).await;
    let key =
        CommandKey { actor_id: user.0, route: "POST /quota".into(), key: "k".into(), body_hash: vec![1] };
    let context = Context { idempotency: Some(key.clone()), ..vault::context(&store, user) };
    proxy.lose(1);
    let executed = store
        .execute(context, move |unit| {
            async move {
                let mut quota = unit.load::<Quota>(user.0).await?;
                unit.handle(&mut quota, QuotaCommand::Open { limit: 5 }).await?;
                unit.answer(json!({ "id": user }));
                Ok::<_, Refusal>(())
            }
            .boxed()
        })
        .await
        .unwrap();
    assert_eq!((executed.position, proxy.lost()), (Some(2), 1));
    let Claim::Repeat { result, position } = store.claim(&key).await.unwrap() else { panic!("not known") };
    assert_eq!((result, position), (json!({ "id": user }), 2));
    let other = CommandKey { body_hash: vec![2], ..key };
    assert!(matches!(store.claim(&other).await, Err(IdempotencyError::BodyDiffers)));
}

/// Ends the backends of the application that are busy with an append. Returns how many.
pub(crate) async fn terminate_appends(app: &PgPool) -> i64 {
    let ended = sqlx::query_scalar(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
         WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid() AND state = 'active'
         AND query LIKE '%append_commands%'",
    );
    ended.fetch_one(app).await.unwrap()
}

#[sqlx::test(migrations = "../migrations")]
async fn a_backend_killed_in_mid_flight_costs_nothing(admin: PgPool) {
    let store = vault::store(&admin).await;
    let user = vault::person(&store, 1000).await;
    // The gate is held, so that the append is in flight when its backend dies.
    let mut gate = admin.begin().await.unwrap();
    sqlx::query("LOCK log_gate").execute(&mut *gate).await.unwrap();
    let command = tokio::spawn({
        let store = store.clone();
        async move { vault::request_upload(&store, user, 10).await }
    });
    while terminate_appends(store.pool()).await == 0 {}
    gate.rollback().await.unwrap();
    assert_eq!(command.await.unwrap().unwrap().position, Some(4));
    vault::assert_dense(&admin).await;
}

#[sqlx::test(migrations = "../migrations")]
async fn commands_outlast_a_database_that_is_away(admin: PgPool) {
    let (proxy, store) = behind_proxy(&admin, APPENDED).await;
    let user = vault::person(&store, 1000).await;
    proxy.set_down(true);
    let commands = join_all((0..50).map(|_| record(&store, user)));
    let back = async {
        while proxy.refused() < 3 {
            tokio::task::yield_now().await;
        }
        proxy.set_down(false);
    };
    let (commands, ()) = futures::join!(commands, back);
    let mut positions: Vec<_> =
        commands.into_iter().map(|command| command.unwrap().position.unwrap()).collect();
    positions.sort_unstable();
    assert!(positions.iter().copied().eq(3..=52), "{positions:?}");
    vault::assert_dense(&admin).await;
}
