//! Our log beside the stock `PostgresEventRepository` on a random history: the same events, the same folded state.

use aggregates::{
    Document, DocumentCommand, DocumentId, Name, Personal, Quota, QuotaCommand, User, UserCommand, UserId,
};
use cqrs_es::persist::{PersistedEventRepository, PersistedEventStore, PersistenceError, SerializedEvent};
use cqrs_es::{Aggregate, AggregateError, CqrsFramework};
use event_store::{EventStore, RawEvent, SealedRepository};
use futures::FutureExt;
use postgres_es::PostgresEventRepository;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::Value;
use sqlx::PgPool;

use crate::vault::{self, Refusal};

/// A command to a document and what it means for the quota, in one append. Refusals are part of the history.
async fn settle(store: &EventStore, owner: UserId, id: DocumentId, choice: u32) {
    let now = store.clock().now();
    let name = Personal::new(owner, Name::parse(&format!("renamed {choice}.pdf")).unwrap());
    let executed = store.execute(vault::context(store, owner), move |unit| {
        let name = name.clone();
        async move {
            let mut document = unit.load::<Document>(id.0).await?;
            let mut quota = unit.load::<Quota>(owner.0).await?;
            let (upload_id, bytes) =
                document.request().map(|request| (request.upload_id, request.size)).unwrap();
            let (command, consequence) = match choice % 8 {
                0 | 1 => (DocumentCommand::CompleteUpload { now }, Some(QuotaCommand::Commit { upload_id })),
                2 => (DocumentCommand::CancelUpload, Some(QuotaCommand::Release { upload_id })),
                3 => (DocumentCommand::Rename { name }, None),
                4 | 5 => (DocumentCommand::Trash, None),
                6 => (DocumentCommand::Restore, None),
                _ => (DocumentCommand::Purge, Some(QuotaCommand::Free { document_id: id, bytes })),
            };
            let happened = unit.handle(&mut document, command).await? > 0;
            if let (true, Some(consequence)) = (happened, consequence) {
                unit.handle(&mut quota, consequence).await?;
            }
            Ok::<_, Refusal>(())
        }
        .boxed()
    });
    drop(executed.await);
}

/// 300 random steps of three people, through two processes.
async fn live(stores: &[EventStore; 2], random: &mut StdRng) {
    let mut people = Vec::new();
    for _ in 0..3 {
        people.push(vault::person(&stores[0], 1000).await);
    }
    let mut documents = Vec::new();
    for _ in 0..300 {
        let store = &stores[random.random_range(0..2)];
        let owner = people[random.random_range(0..3)];
        match random.random_range(0..10) {
            0 | 1 => {
                let bytes = random.random_range(0..200);
                documents.extend(
                    vault::request_upload(store, owner, bytes).await.ok().map(|done| (owner, done.value)),
                );
            }
            2 => {
                let limit = random.random_range(100..2000);
                vault::send::<Quota>(store, owner, owner.0, QuotaCommand::ChangeLimit { limit })
                    .await
                    .unwrap();
            }
            3 => drop(vault::send::<User>(store, owner, owner.0, UserCommand::ChangePassword).await.unwrap()),
            _ if documents.is_empty() => {}
            _ => {
                let (owner, id) = documents[random.random_range(0..documents.len())];
                settle(store, owner, id, random.random_range(0..8)).await;
            }
        }
    }
}

fn fold<A: Aggregate>(events: &[SerializedEvent]) -> A {
    events.iter().fold(A::default(), |mut state, event| {
        state.apply(serde_json::from_value(event.payload.clone()).unwrap());
        state
    })
}

/// Folds a stream by three ways of reading it. Returns how many events it has.
async fn compare<A>(admin: &PgPool, store: &EventStore, id: &str) -> usize
where
    A: Aggregate + PartialEq + std::fmt::Debug,
{
    let stock = PostgresEventRepository::new(admin.clone()).get_events::<A>(id).await.unwrap();
    let ours =
        SealedRepository::new(store.clone(), UserId(uuid::Uuid::nil())).get_events::<A>(id).await.unwrap();
    assert_eq!(stock, ours);
    let state = fold::<A>(&stock);
    assert_eq!(state, fold::<A>(&ours));
    let mut streamed =
        SealedRepository::new(store.clone(), UserId(uuid::Uuid::nil())).stream_events::<A>(id).await.unwrap();
    let mut replayed = A::default();
    let mut last = 0;
    while let Some(event) = streamed.next::<A>(&[]).await {
        let event = event.unwrap();
        last = event.sequence;
        replayed.apply(event.payload);
    }
    assert_eq!((state, ours.len()), (replayed, last));
    assert_eq!(store.load::<A>(id).await.unwrap().1, i64::try_from(last).unwrap());
    last
}

#[sqlx::test(migrations = "../migrations")]
async fn the_stock_repository_folds_the_same_states(admin: PgPool) {
    let stores = [vault::store(&admin).await, vault::store(&admin).await];
    live(&stores, &mut StdRng::seed_from_u64(7)).await;
    let streams: Vec<(String, String)> =
        sqlx::query_as("SELECT DISTINCT aggregate_type, aggregate_id FROM events")
            .fetch_all(&admin)
            .await
            .unwrap();
    let mut events = 0;
    for (aggregate_type, id) in &streams {
        events += match aggregate_type.as_str() {
            User::TYPE => compare::<User>(&admin, &stores[0], id).await,
            Quota::TYPE => compare::<Quota>(&admin, &stores[0], id).await,
            Document::TYPE => compare::<Document>(&admin, &stores[0], id).await,
            other => panic!("{other}"),
        };
    }
    assert_eq!(events, vault::positions(&admin).await.len());
    assert!(
        streams.len() > 30 && events > 150,
        "a history worth comparing: {} streams, {events} events",
        streams.len()
    );
    vault::assert_dense(&admin).await;
    the_opened_states_agree(&admin, &stores[1]).await;
}

/// Folding the whole log, opened, gives what loading gives.
async fn the_opened_states_agree(admin: &PgPool, store: &EventStore) {
    let mut documents = std::collections::HashMap::<String, Document>::new();
    let raw = RawEvent::after(&mut admin.acquire().await.unwrap(), 0, 100_000).await.unwrap();
    for event in store.open(raw).await.unwrap() {
        if let aggregates::Event::Document(document) = event.event {
            documents.entry(event.aggregate_id).or_default().apply(document);
        }
    }
    for (id, state) in documents {
        assert_eq!(store.load::<Document>(&id).await.unwrap().0, state);
        assert!(state.request().unwrap().name.open().is_some());
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn cqrs_es_writes_through_the_door(admin: PgPool) {
    let store = vault::store(&admin).await;
    let user = vault::register(&store).await;
    let id = user.to_string();
    let repository = || SealedRepository::new(store.clone(), user);
    let framework =
        CqrsFramework::<Quota, _>::new(PersistedEventStore::new_event_store(repository()), vec![], ());
    framework.execute(&id, QuotaCommand::Open { limit: 10 }).await.unwrap();
    framework.execute(&id, QuotaCommand::ChangeLimit { limit: 20 }).await.unwrap();
    let refused = framework.execute(&id, QuotaCommand::Open { limit: 10 }).await;
    assert!(matches!(refused, Err(AggregateError::UserError(_))));
    vault::send::<Quota>(&store, user, user.0, QuotaCommand::ChangeLimit { limit: 30 }).await.unwrap();
    assert_eq!(store.load::<Quota>(&id).await.unwrap().0.limit(), 30);

    let stale = repository().get_events::<Quota>(&id).await.unwrap();
    let again = repository().persist::<Quota>(&stale[2..], None).await;
    assert!(matches!(again, Err(PersistenceError::OptimisticLockError)), "{again:?}");

    // Personal values that come open are sealed on the way.
    let email = Personal::new(user, "canary@example.org".to_owned());
    let registered =
        serde_json::json!({ "UserRegistered": { "email": email, "display_name": null, "role": "user" } });
    let event = |payload: Value| {
        SerializedEvent::new(
            vault::new_id().to_string(),
            1,
            User::TYPE.into(),
            "UserRegistered".into(),
            "1.0".into(),
            payload,
            serde_json::json!({}),
        )
    };
    let event = event(registered);
    repository().persist::<User>(std::slice::from_ref(&event), None).await.unwrap();
    let stored = repository().get_events::<User>(&event.aggregate_id).await.unwrap();
    assert!(!stored[0].payload.to_string().contains("canary"));
    let read = store.read(4, 10).await.unwrap();
    let aggregates::Event::User(aggregates::UserEvent::UserRegistered { email, .. }) = &read[0].event else {
        panic!()
    };
    assert_eq!(email.open().map(String::as_str), Some("canary@example.org"));
    vault::assert_dense(&admin).await;
}
