//! What the tests share: a migrated database, stores over it as the application connects, and the usual commands.

use std::sync::Arc;

use aggregates::document::{ContentHash, Transfer, UploadRequest};
use aggregates::{
    Actor, Document, DocumentCommand, DocumentId, Metadata, Name, Personal, Quota, QuotaCommand, Role,
    UploadId, User, UserCommand, UserId,
};
use event_store::{
    Clock, Context, EventStore, ExecuteError, Executed, Keyring, MasterKeys, NewUserKey, StoreError, Unit,
    UnitError,
};
use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::Value;
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use uuid::Uuid;

/// 32 bytes of `m`, and of `n`.
pub(crate) const MASTER_1: &str = "1 bW1tbW1tbW1tbW1tbW1tbW1tbW1tbW1tbW1tbW1tbW0=";
pub(crate) const MASTER_2: &str = "2 bm5ubm5ubm5ubm5ubm5ubm5ubm5ubm5ubm5ubm5ubm4=";

pub(crate) const MIB: u64 = 1 << 20;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    User(#[from] UnitError<User>),
    #[error(transparent)]
    Quota(#[from] UnitError<Quota>),
    #[error(transparent)]
    Document(#[from] UnitError<Document>),
}

pub(crate) type Outcome<T> = Result<Executed<T>, ExecuteError<Refusal>>;

/// How the application connects to the database of `admin`.
pub(crate) fn app_options(admin: &PgPool) -> PgConnectOptions {
    let password = std::env::var("DOCUVAULT_TEST_APP_PASSWORD").unwrap_or_else(|_| "test".into());
    admin.connect_options().as_ref().clone().username("docuvault_app").password(&password)
}

pub(crate) fn app_pool(options: PgConnectOptions) -> PgPool {
    PgPoolOptions::new().max_connections(6).test_before_acquire(false).connect_lazy_with(options)
}

/// A process of its own on the database of `admin`.
pub(crate) async fn store(admin: &PgPool) -> EventStore {
    store_with(app_options(admin), MASTER_1, Clock::system()).await
}

pub(crate) async fn store_with(options: PgConnectOptions, master: &str, clock: Clock) -> EventStore {
    let pool = app_pool(options);
    let keyring = Keyring::open(pool.clone(), MasterKeys::parse(master).unwrap()).await.unwrap();
    EventStore::new(pool, keyring, clock)
}

pub(crate) fn context(store: &EventStore, owner: UserId) -> Context {
    let metadata = Metadata {
        actor: Actor::User(owner),
        correlation_id: store.clock().new_id(),
        causation_id: None,
        occurred_at: store.clock().now(),
        ip: None,
    };
    Context { owner_id: owner, metadata, idempotency: None }
}

/// Sends one command to one aggregate.
pub(crate) async fn send<A>(
    store: &EventStore,
    owner: UserId,
    id: Uuid,
    command: A::Command,
) -> Outcome<usize>
where
    A: cqrs_es::Aggregate<Services = ()> + Clone + 'static,
    A::Command: Clone + Send + Sync + 'static,
    A::Event: serde::Serialize,
    Refusal: From<UnitError<A>>,
{
    store
        .execute(context(store, owner), move |unit| {
            let command = command.clone();
            async move {
                let mut aggregate = unit.load::<A>(id).await?;
                Ok(unit.handle(&mut aggregate, command).await?)
            }
            .boxed()
        })
        .await
}

pub(crate) fn new_id() -> Uuid {
    Clock::system().new_id()
}

pub(crate) fn email(user: UserId) -> String {
    format!("{user}@canary.example")
}

/// Registers a person: the event, the wrapped key and the e-mail claim in one statement.
pub(crate) async fn register(store: &EventStore) -> UserId {
    let user = UserId(store.clock().new_id());
    register_as(store, user).await.unwrap();
    user
}

pub(crate) async fn register_as(store: &EventStore, user: UserId) -> Outcome<()> {
    let key = Arc::new(store.keyring().new_user_key(user, store.clock().new_id()).unwrap());
    let statement = registration(store.pool().clone(), key.clone(), email(user).into_bytes());
    store
        .execute_with(
            context(store, user),
            move |unit| {
                let key = key.clone();
                async move {
                    let mut account = unit.load::<User>(user.0).await?;
                    let email = Personal::new(user, email(user));
                    let command = UserCommand::Register { email, display_name: None, role: Role::User };
                    unit.handle(&mut account, command).await?;
                    unit.with_new_key(NewUserKey::clone(&key));
                    Ok::<_, Refusal>(())
                }
                .boxed()
            },
            statement,
        )
        .await
}

/// Side rows first, so that nothing is waited for under the gate.
fn registration(
    pool: PgPool,
    key: Arc<NewUserKey>,
    email_hash: Vec<u8>,
) -> impl Fn(Value) -> BoxFuture<'static, Result<Option<i64>, sqlx::Error>> + Send + Sync + 'static {
    move |append| {
        let (pool, key, email_hash) = (pool.clone(), key.clone(), email_hash.clone());
        async move {
            sqlx::query_scalar(
                "WITH claim AS (
                     INSERT INTO email_claims (email_hash, user_id) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING user_id
                 ), key AS (
                     INSERT INTO user_keys (user_id, key_id, master_version, wrapped)
                     SELECT user_id, $3, $4, $5 FROM claim RETURNING user_id
                 )
                 SELECT append_or_fail($6) FROM key",
            )
            .bind(email_hash)
            .bind(key.user_id.0)
            .bind(key.key_id)
            .bind(key.master_version)
            .bind(&key.wrapped)
            .bind(append)
            .fetch_optional(&pool)
            .await
        }
        .boxed()
    }
}

pub(crate) async fn open_quota(store: &EventStore, user: UserId, limit: u64) -> i64 {
    send::<Quota>(store, user, user.0, QuotaCommand::Open { limit }).await.unwrap().position.unwrap()
}

/// A registered person with an open quota.
pub(crate) async fn person(store: &EventStore, limit: u64) -> UserId {
    let user = register(store).await;
    open_quota(store, user, limit).await;
    user
}

pub(crate) fn upload(store: &EventStore, owner: UserId, size: u64) -> UploadRequest {
    let upload_id = UploadId(store.clock().new_id());
    UploadRequest {
        owner_id: owner,
        upload_id,
        name: Personal::new(owner, Name::parse("canary tax return.pdf").unwrap()),
        content_type: "application/pdf".into(),
        size,
        content_hash: ContentHash {
            salted: "5a".repeat(32),
            nonce: Personal::new(owner, "0e".repeat(32)),
            sha256: Personal::new(owner, "c4".repeat(32)),
        },
        object_key: format!("{owner}/{upload_id}.pdf"),
        transfer: Transfer::Single { staging_key: format!("staging/{upload_id}") },
        folder_id: None,
        expires_at: store.clock().now() + chrono::TimeDelta::hours(1),
    }
}

/// Document and quota in one append, as an upload request does it.
pub(crate) async fn request_upload(store: &EventStore, owner: UserId, size: u64) -> Outcome<DocumentId> {
    let request = upload(store, owner, size);
    let id = DocumentId(store.clock().new_id());
    store
        .execute(context(store, owner), move |unit| {
            let request = request.clone();
            async move { request_in(unit, id, request).await }.boxed()
        })
        .await
}

pub(crate) async fn request_in(
    unit: &mut Unit,
    id: DocumentId,
    request: UploadRequest,
) -> Result<DocumentId, Refusal> {
    let mut document = unit.load::<Document>(id.0).await?;
    let mut quota = unit.load::<Quota>(request.owner_id.0).await?;
    let reserve = QuotaCommand::Reserve { upload_id: request.upload_id, bytes: request.size };
    unit.handle(&mut quota, reserve).await?;
    unit.handle(&mut document, DocumentCommand::RequestUpload(Box::new(request))).await?;
    Ok(id)
}

/// Every position of the log, read page by page.
pub(crate) async fn positions(pool: &PgPool) -> Vec<i64> {
    sqlx::query_scalar("SELECT position FROM events ORDER BY position").fetch_all(pool).await.unwrap()
}

/// Panics unless the log's positions and each stream's sequences are 1, 2, 3, … without gaps.
pub(crate) async fn assert_dense(pool: &PgPool) {
    let positions = positions(pool).await;
    assert!(
        (1..).zip(&positions).all(|(expected, position)| expected == *position),
        "positions: {positions:?}"
    );
    let broken: Vec<(String, String)> = sqlx::query_as(
        "SELECT aggregate_type, aggregate_id FROM events GROUP BY 1, 2 HAVING count(*) <> max(sequence) OR min(sequence) <> 1",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    assert_eq!(broken, []);
}
