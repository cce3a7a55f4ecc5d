//! A command that comes twice with one idempotency key happens once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use aggregates::{Document, DocumentId, Quota, QuotaCommand, UserId};
use chrono::TimeDelta;
use event_store::{Claim, Clock, CommandKey, Context, EventStore, ExecuteError, IdempotencyError};
use futures::FutureExt;
use serde_json::json;
use sqlx::PgPool;

use crate::vault::{self, MASTER_1, Outcome};

fn key(user: UserId) -> CommandKey {
    CommandKey {
        actor_id: user.0,
        route: "POST /documents".into(),
        key: "k1".into(),
        body_hash: b"body".to_vec(),
    }
}

/// Requests an upload under `key(owner)`.
async fn request(store: &EventStore, owner: UserId) -> Outcome<DocumentId> {
    let request = vault::upload(store, owner, 10);
    let id = DocumentId(store.clock().new_id());
    let context = Context { idempotency: Some(key(owner)), ..vault::context(store, owner) };
    store
        .execute(context, move |unit| {
            let request = request.clone();
            async move {
                unit.answer(json!({ "id": id }));
                vault::request_in(unit, id, request).await
            }
            .boxed()
        })
        .await
}

#[sqlx::test(migrations = "../migrations")]
async fn a_repeat_is_answered_as_the_first(admin: PgPool) {
    let store = vault::store(&admin).await;
    let user = vault::person(&store, 100).await;
    let Claim::First(guard) = store.claim(&key(user)).await.unwrap() else { panic!("seen before") };
    assert!(matches!(store.claim(&key(user)).await, Err(IdempotencyError::InFlight)));
    let executed = request(&store, user).await.unwrap();
    drop(guard);

    for store in [store, vault::store(&admin).await] {
        let Claim::Repeat { result, position } = store.claim(&key(user)).await.unwrap() else {
            panic!("forgotten")
        };
        assert_eq!((result, Some(position)), (json!({ "id": executed.value }), executed.position));
        let other_body = CommandKey { body_hash: b"other".to_vec(), ..key(user) };
        assert!(matches!(store.claim(&other_body).await, Err(IdempotencyError::BodyDiffers)));
        for other in [
            CommandKey { route: "POST /folders".into(), ..key(user) },
            CommandKey { key: "k2".into(), ..key(user) },
            CommandKey { actor_id: vault::new_id(), ..key(user) },
        ] {
            assert!(matches!(store.claim(&other).await, Ok(Claim::First(_))), "{other:?}");
        }
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn of_two_processes_that_race_one_happens(admin: PgPool) {
    let (ours, theirs) = (vault::store(&admin).await, vault::store(&admin).await);
    let user = vault::person(&ours, 100).await;
    for store in [&ours, &theirs] {
        assert!(matches!(store.claim(&key(user)).await, Ok(Claim::First(_))));
    }
    let (a, b) = futures::join!(request(&ours, user), request(&theirs, user));
    let (winner, loser) = if a.is_ok() { (a, b) } else { (b, a) };
    assert!(matches!(loser, Err(ExecuteError::Duplicate)), "{loser:?}");
    let winner = winner.unwrap();
    let Claim::Repeat { result, .. } = ours.claim(&key(user)).await.unwrap() else { panic!("forgotten") };
    assert_eq!(result, json!({ "id": winner.value }));
    assert_eq!(ours.load::<Quota>(&user.to_string()).await.unwrap().0.reserved(), 10);
    assert_eq!(ours.load::<Document>(&winner.value.to_string()).await.unwrap().1, 1);
    vault::assert_dense(&admin).await;
}

#[sqlx::test(migrations = "../migrations")]
async fn what_did_not_happen_leaves_no_outcome(admin: PgPool) {
    let (ours, theirs) = (vault::store(&admin).await, vault::store(&admin).await);
    let user = vault::person(&ours, 10).await;
    let upload = vault::upload(&ours, user, 10);
    let id = DocumentId(vault::new_id());
    let context = Context { idempotency: Some(key(user)), ..vault::context(&ours, user) };
    let overtaken = Arc::new(AtomicBool::new(false));
    // Another process takes the last bytes between decision and append: a conflict, then a refusal.
    let refused = ours.execute(context, move |unit| {
        let (theirs, upload, overtaken) = (theirs.clone(), upload.clone(), overtaken.clone());
        async move {
            unit.answer(json!({ "id": id }));
            vault::request_in(unit, id, upload).await?;
            if !overtaken.swap(true, Ordering::SeqCst) {
                let lower = QuotaCommand::ChangeLimit { limit: 9 };
                vault::send::<Quota>(&theirs, user, user.0, lower).await.unwrap();
            }
            Ok::<_, vault::Refusal>(())
        }
        .boxed()
    });
    assert!(matches!(refused.await, Err(ExecuteError::Refused(_))));
    assert!(matches!(ours.claim(&key(user)).await, Ok(Claim::First(_))));
    let outcomes: i64 =
        sqlx::query_scalar("SELECT count(*) FROM command_outcomes").fetch_one(&admin).await.unwrap();
    assert_eq!(outcomes, 0);
}

/// F09: also by a process whose clock is a day ahead.
#[sqlx::test(migrations = "../migrations")]
async fn outcomes_are_kept_for_a_day(admin: PgPool) {
    let store = vault::store(&admin).await;
    let user = vault::person(&store, 100).await;
    request(&store, user).await.unwrap();
    for (hours, forgotten) in [(47, 0), (49, 1), (49, 0)] {
        let later = Clock::from_fn(move || Clock::system().now() + TimeDelta::hours(hours));
        let store = vault::store_with(vault::app_options(&admin), MASTER_1, later).await;
        assert_eq!(store.forget_outcomes().await.unwrap(), forgotten, "after {hours} hours");
    }
    assert!(matches!(store.claim(&key(user)).await, Ok(Claim::First(_))));
}

#[sqlx::test(migrations = "../migrations")]
async fn a_statement_with_side_rows_keeps_its_outcome_too(admin: PgPool) {
    let store = vault::store(&admin).await;
    let user = vault::register(&store).await;
    let open = |limit| {
        let context = Context { idempotency: Some(key(user)), ..vault::context(&store, user) };
        let pool = store.pool().clone();
        store.execute_with(
            context,
            move |unit| {
                async move {
                    let mut quota = unit.load::<Quota>(vault::new_id()).await?;
                    unit.handle(&mut quota, QuotaCommand::Open { limit }).await?;
                    unit.answer(json!({ "limit": limit }));
                    Ok::<_, vault::Refusal>(())
                }
                .boxed()
            },
            move |append| {
                let pool = pool.clone();
                async move {
                    sqlx::query_scalar("SELECT append_or_fail($1)").bind(append).fetch_optional(&pool).await
                }
                .boxed()
            },
        )
    };
    assert_eq!(open(1).await.unwrap().position, Some(2));
    assert!(matches!(open(2).await, Err(ExecuteError::Duplicate)));
    let Claim::Repeat { result, position } = store.claim(&key(user)).await.unwrap() else {
        panic!("forgotten")
    };
    assert_eq!((result, position), (json!({ "limit": 1 }), 2));
    assert_eq!(vault::positions(&admin).await, [1, 2]);
}
