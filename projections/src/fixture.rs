//! A vault for tests: real events through the door, as the product appends them.

use std::time::Duration;

use aggregates::document::{ContentHash, Transfer, UploadRequest};
use aggregates::{
    Actor, Document, DocumentCommand, DocumentId, Metadata, Name, Personal, Quota, QuotaCommand, Role,
    UploadId, User, UserCommand, UserId,
};
use chrono::TimeDelta;
use event_store::{
    Clock, Context, EventStore, ExecuteError, Executed, Keyring, MasterKeys, NewUserKey, Unit,
};
use futures::FutureExt;
use serde_json::Value;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;

pub(crate) const MASTER_KEY: &str = "1 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

pub(crate) type Outcome<T> = Result<T, ExecuteError<anyhow::Error>>;

pub(crate) struct Vault {
    pub(crate) store: EventStore,
}

impl Vault {
    /// Over the database of a test, as the application's role.
    pub(crate) async fn open(pool: &PgPool) -> Self {
        let password = std::env::var("DOCUVAULT_TEST_APP_PASSWORD").unwrap_or_else(|_| "test".into());
        let options = pool.connect_options().as_ref().clone().username("docuvault_app").password(&password);
        let app = PgPoolOptions::new()
            .max_connections(8)
            .acquire_timeout(Duration::from_mins(1))
            .test_before_acquire(false)
            .connect_lazy_with(options);
        let keyring = Keyring::open(app.clone(), MasterKeys::parse(MASTER_KEY).unwrap()).await.unwrap();
        Self { store: EventStore::new(app, keyring, Clock::system()) }
    }

    pub(crate) fn pool(&self) -> &PgPool {
        self.store.pool()
    }

    /// A registered person with a quota of `limit` bytes.
    pub(crate) async fn register(&self, email: &str, limit: u64) -> UserId {
        let clock = self.store.clock();
        let user = UserId(clock.new_id());
        let key_id = clock.new_id();
        let key = self.store.keyring().new_user_key(user, key_id).unwrap();
        let (row, pool, email) = (key.clone(), self.pool().clone(), email.to_owned());
        let statement = move |append: Value| {
            let (pool, row) = (pool.clone(), row.clone());
            let query = sqlx::query_scalar(
                "WITH key AS (INSERT INTO user_keys (user_id, key_id, master_version, wrapped)
                              VALUES ($1, $2, $3, $4) RETURNING user_id)
                 SELECT append_or_fail($5::json) FROM key",
            );
            async move {
                let query = query.bind(row.user_id.0).bind(row.key_id).bind(row.master_version);
                query.bind(row.wrapped).bind(append).fetch_optional(&pool).await
            }
            .boxed()
        };
        self.store
            .execute_with(
                self.context(user),
                move |unit| register(unit, key.clone(), email.clone(), limit).boxed(),
                statement,
            )
            .await
            .unwrap();
        user
    }

    /// Requests an upload, and holds its space. Fails when it does not fit.
    pub(crate) async fn request(&self, owner: UserId, name: &str, size: u64) -> Outcome<DocumentId> {
        let document = DocumentId(self.store.clock().new_id());
        let request = self.upload(owner, name, size);
        self.store
            .execute(self.context(owner), move |unit| reserve(unit, owner, document, request.clone()).boxed())
            .await?;
        Ok(document)
    }

    /// An uploaded document.
    pub(crate) async fn upload_done(&self, owner: UserId, name: &str, size: u64) -> DocumentId {
        let document = self.request(owner, name, size).await.unwrap();
        let now = self.store.clock().now();
        self.change(owner, document, DocumentCommand::CompleteUpload { now }).await.unwrap();
        document
    }

    /// Changes a document, and the quota with it.
    pub(crate) async fn change(
        &self,
        owner: UserId,
        document: DocumentId,
        command: DocumentCommand,
    ) -> Outcome<Executed<()>> {
        self.store
            .execute(self.context(owner), move |unit| change(unit, owner, document, command.clone()).boxed())
            .await
    }

    pub(crate) async fn rename(&self, owner: UserId, document: DocumentId, name: &str) {
        let name = Personal::new(owner, Name::parse(name).unwrap());
        self.change(owner, document, DocumentCommand::Rename { name }).await.unwrap();
    }

    pub(crate) fn context(&self, owner: UserId) -> Context {
        let metadata = Metadata {
            actor: Actor::User(owner),
            correlation_id: self.store.clock().new_id(),
            causation_id: None,
            occurred_at: self.store.clock().now(),
            ip: None,
        };
        Context { owner_id: owner, metadata, idempotency: None }
    }

    fn upload(&self, owner: UserId, name: &str, size: u64) -> UploadRequest {
        let clock = self.store.clock();
        UploadRequest {
            owner_id: owner,
            upload_id: UploadId(clock.new_id()),
            name: Personal::new(owner, Name::parse(name).unwrap()),
            content_type: "application/pdf".into(),
            size,
            content_hash: ContentHash {
                salted: "5a".repeat(32),
                nonce: Personal::new(owner, "0e".repeat(32)),
                sha256: Personal::new(owner, "5a".repeat(32)),
            },
            object_key: format!("{owner}/{}", clock.new_id()),
            transfer: if size > 1_000 {
                Transfer::Multipart { multipart_id: "m".into(), part_size: 1_000 }
            } else {
                Transfer::Single { staging_key: format!("staging/{owner}/{}", clock.new_id()) }
            },
            folder_id: None,
            expires_at: clock.now() + TimeDelta::hours(24),
        }
    }
}

async fn register(unit: &mut Unit, key: NewUserKey, email: String, limit: u64) -> anyhow::Result<()> {
    let user = key.user_id;
    unit.with_new_key(key);
    let mut account = unit.load::<User>(user.0).await?;
    let email = Personal::new(user, email);
    unit.handle(&mut account, UserCommand::Register { email, display_name: None, role: Role::User }).await?;
    let mut quota = unit.load::<Quota>(user.0).await?;
    unit.handle(&mut quota, QuotaCommand::Open { limit }).await?;
    Ok(())
}

async fn reserve(
    unit: &mut Unit,
    owner: UserId,
    document: DocumentId,
    request: UploadRequest,
) -> anyhow::Result<()> {
    let (upload_id, bytes) = (request.upload_id, request.size);
    let mut quota = unit.load::<Quota>(owner.0).await?;
    unit.handle(&mut quota, QuotaCommand::Reserve { upload_id, bytes }).await?;
    let mut aggregate = unit.load::<Document>(document.0).await?;
    unit.handle(&mut aggregate, DocumentCommand::RequestUpload(Box::new(request))).await?;
    Ok(())
}

/// The quota follows from what became of the document.
async fn change(
    unit: &mut Unit,
    owner: UserId,
    document: DocumentId,
    command: DocumentCommand,
) -> anyhow::Result<()> {
    let mut aggregate = unit.load::<Document>(document.0).await?;
    let before = aggregate.stage();
    unit.handle(&mut aggregate, command).await?;
    let after = aggregate.stage();
    let Some((upload_id, bytes)) = aggregate.request().map(|request| (request.upload_id, request.size))
    else {
        return Ok(());
    };
    let settled = if before.is_reserved() && after.is_retained() {
        QuotaCommand::Commit { upload_id }
    } else if before.is_reserved() && !after.is_reserved() {
        QuotaCommand::Release { upload_id }
    } else if before.is_retained() && !after.is_retained() {
        QuotaCommand::Free { document_id: document, bytes }
    } else {
        return Ok(());
    };
    let mut quota = unit.load::<Quota>(owner.0).await?;
    unit.handle(&mut quota, settled).await?;
    Ok(())
}
