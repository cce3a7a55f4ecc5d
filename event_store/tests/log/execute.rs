//! Load, decide, append: what cached and speculative state may and may not do.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aggregates::{Quota, QuotaCommand, UploadId, User, UserCommand, UserId};
use event_store::{EventStore, ExecuteError, StoreError, UnitError};
use futures::FutureExt;
use futures::future::join_all;
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use crate::gate::Gate;
use crate::vault::{self, Outcome, Refusal};

async fn quota(store: &EventStore, user: UserId, command: QuotaCommand) -> Outcome<usize> {
    vault::send::<Quota>(store, user, user.0, command).await
}

async fn reserve(store: &EventStore, user: UserId, bytes: u64) -> Outcome<usize> {
    quota(store, user, QuotaCommand::Reserve { upload_id: UploadId(store.clock().new_id()), bytes }).await
}

fn exceeded<T>(outcome: &Outcome<T>) -> bool {
    matches!(outcome, Err(ExecuteError::Refused(Refusal::Quota(UnitError::Refused(_)))))
}

#[sqlx::test(migrations = "../migrations")]
async fn cached_state_never_refuses(admin: PgPool) {
    let (ours, theirs) = (vault::store(&admin).await, vault::store(&admin).await);
    let user = vault::person(&ours, 10).await;
    assert!(exceeded(&reserve(&ours, user, 11).await));
    quota(&theirs, user, QuotaCommand::ChangeLimit { limit: 1000 }).await.unwrap();
    reserve(&ours, user, 11).await.unwrap();
}

#[sqlx::test(migrations = "../migrations")]
async fn cached_state_never_says_that_it_is_already_so(admin: PgPool) {
    let (ours, theirs) = (vault::store(&admin).await, vault::store(&admin).await);
    let user = vault::person(&ours, 10).await;
    assert_eq!(quota(&ours, user, QuotaCommand::ChangeLimit { limit: 10 }).await.unwrap().position, None);
    quota(&theirs, user, QuotaCommand::ChangeLimit { limit: 7 }).await.unwrap();
    assert_eq!(quota(&ours, user, QuotaCommand::ChangeLimit { limit: 10 }).await.unwrap().position, Some(4));
}

#[sqlx::test(migrations = "../migrations")]
async fn cached_state_that_is_stale_accepts_nothing(admin: PgPool) {
    let (ours, theirs) = (vault::store(&admin).await, vault::store(&admin).await);
    let user = vault::person(&ours, 10).await;
    reserve(&theirs, user, 6).await.unwrap();
    assert!(exceeded(&reserve(&ours, user, 6).await));
    reserve(&ours, user, 4).await.unwrap();
}

#[sqlx::test(migrations = "../migrations")]
async fn what_a_decision_only_read_may_not_have_moved(admin: PgPool) {
    let (ours, theirs) = (vault::store(&admin).await, vault::store(&admin).await);
    let user = vault::person(&ours, 10).await;
    vault::send::<User>(&ours, user, user.0, UserCommand::ChangePassword).await.unwrap();
    let decisions = Arc::new(AtomicUsize::new(0));
    let counted = decisions.clone();
    let executed = ours.execute(vault::context(&ours, user), move |unit| {
        let (theirs, counted) = (theirs.clone(), counted.clone());
        async move {
            unit.load::<User>(user.0).await?;
            let mut quota = unit.load::<Quota>(user.0).await?;
            unit.handle(&mut quota, QuotaCommand::ChangeLimit { limit: 1 }).await?;
            if counted.fetch_add(1, Ordering::SeqCst) == 0 {
                vault::send::<User>(&theirs, user, user.0, UserCommand::ChangePassword).await.unwrap();
            }
            Ok::<_, Refusal>(())
        }
        .boxed()
    });
    assert_eq!(executed.await.unwrap().position, Some(5));
    assert_eq!(decisions.load(Ordering::SeqCst), 2, "decided again, once");
}

#[sqlx::test(migrations = "../migrations")]
async fn what_stands_on_a_lost_append_is_lost_with_it(admin: PgPool) {
    let (ours, theirs) = (vault::store(&admin).await, vault::store(&admin).await);
    let user = vault::person(&ours, 100).await;
    let upload_id = UploadId(ours.clock().new_id());
    quota(&ours, user, QuotaCommand::Reserve { upload_id, bytes: 60 }).await.unwrap();

    let mut gate = Gate::shut(&admin).await;
    let spawn = |store: &EventStore, command| {
        let store = store.clone();
        tokio::spawn(async move { quota(&store, user, command).await })
    };
    let fill = QuotaCommand::Reserve { upload_id: UploadId(ours.clock().new_id()), bytes: 40 };
    let theirs = spawn(&theirs, fill);
    gate.queue(1).await;
    let release = spawn(&ours, QuotaCommand::Release { upload_id });
    gate.queue(2).await;
    // Decided on the state after `release`, as its sequence 4 — which `fill` takes.
    let all = spawn(&ours, QuotaCommand::Reserve { upload_id: UploadId(ours.clock().new_id()), bytes: 100 });
    tokio::task::yield_now().await;
    gate.queue(2).await;
    gate.open().await;

    theirs.await.unwrap().unwrap();
    release.await.unwrap().unwrap();
    let outcome = all.await.unwrap();
    assert!(exceeded(&outcome), "{outcome:?}");
    assert_eq!(ours.load::<Quota>(&user.to_string()).await.unwrap().0.reserved(), 40);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_command_is_finished_though_its_caller_has_gone(admin: PgPool) {
    let store = vault::store(&admin).await;
    let user = vault::person(&store, 10).await;
    let mut gate = Gate::shut(&admin).await;
    {
        let command = std::pin::pin!(reserve(&store, user, 1));
        assert!(futures::poll!(command).is_pending());
        gate.queue(1).await;
    }
    gate.open().await;
    let stop = CancellationToken::new();
    assert!(store.watch(stop.clone()).beyond(2).await);
    assert_eq!(store.load::<Quota>(&user.to_string()).await.unwrap().0.reserved(), 1);
}

#[sqlx::test(migrations = "../migrations")]
async fn commands_share_a_batch_and_a_poisoned_one_fails_alone(admin: PgPool) {
    let store = vault::store(&admin).await;
    let people = join_all((0..10).map(|_| vault::person(&store, 10))).await;
    let mut gate = Gate::shut(&admin).await;
    let first = tokio::spawn({
        let (store, user) = (store.clone(), people[0]);
        async move { vault::request_upload(&store, user, 1).await }
    });
    gate.queue(1).await;
    let poison = UserCommand::Register {
        email: aggregates::Personal::new(people[5], "x".repeat(65536)),
        display_name: None,
        role: aggregates::Role::User,
    };
    let somebody = store.clock().new_id();
    let poisoned = vault::send::<User>(&store, people[5], somebody, poison);
    let healthy = join_all(people.iter().map(|user| vault::request_upload(&store, *user, 1)));
    let (poisoned, healthy, ()) = futures::join!(poisoned, healthy, gate.open());
    assert!(matches!(poisoned, Err(ExecuteError::Store(StoreError::Database(_)))), "{poisoned:?}");
    assert_eq!(first.await.unwrap().unwrap().position, Some(22));
    assert!(healthy.iter().all(Result::is_ok), "{healthy:?}");
    vault::assert_dense(&admin).await;

    // What never happened is not remembered either.
    let ok = UserCommand::Register {
        email: aggregates::Personal::new(people[5], "x".into()),
        display_name: None,
        role: aggregates::Role::User,
    };
    vault::send::<User>(&store, people[5], somebody, ok).await.unwrap();
}

#[sqlx::test(migrations = "../migrations")]
async fn commands_that_wait_share_one_commit_and_keep_their_order(admin: PgPool) {
    let store = vault::store(&admin).await;
    let user = vault::person(&store, 10).await;
    let mut gate = Gate::shut(&admin).await;
    let spawn = || {
        let store = store.clone();
        tokio::spawn(async move { reserve(&store, user, 1).await })
    };
    let commands: Vec<_> = (0..10).map(|_| spawn()).collect();
    gate.queue(1).await;
    gate.open().await;
    for (command, position) in commands.into_iter().zip(3..) {
        assert_eq!(command.await.unwrap().unwrap().position, Some(position));
    }
    let commits: i64 = sqlx::query_scalar("SELECT count(DISTINCT xmin::text) FROM events WHERE position > 2")
        .fetch_one(&admin)
        .await
        .unwrap();
    assert!(commits <= 2, "{commits} commits for 10 commands");
}

#[sqlx::test(migrations = "../migrations")]
async fn a_precondition_that_does_not_hold_writes_nothing(admin: PgPool) {
    let store = vault::store(&admin).await;
    let user = UserId(store.clock().new_id());
    sqlx::query("INSERT INTO email_claims VALUES ($1, $2)")
        .bind(vault::email(user).into_bytes())
        .bind(user.0)
        .execute(&admin)
        .await
        .unwrap();
    assert!(matches!(vault::register_as(&store, user).await, Err(ExecuteError::Precondition)));
    assert!(vault::positions(&admin).await.is_empty());
}
