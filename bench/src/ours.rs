//! DocuVault's own path: load (or cached), decide, seal, group commit, door.

use std::sync::Arc;
use std::time::Duration;

use aggregates::{Actor, Document, DocumentCommand, Metadata, Quota, UserId};
use event_store::{Clock, Context, EventStore, Keyring, MasterKeys, StoreError, UnitError};
use futures::{FutureExt, StreamExt, TryStreamExt};
use uuid::Uuid;

use crate::drive::{Measured, closed_loop};
use crate::fixture::{self, STREAMS, Server};

pub(crate) const DATABASE: &str = "bench_docuvault";
/// Owners that the appends are spread over.
const OWNERS: usize = 1000;

/// A decision of a benchmark never refuses; if it does, the run is void.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failed {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Document(#[from] UnitError<Document>),
    #[error(transparent)]
    Quota(#[from] UnitError<Quota>),
}

pub(crate) struct Ours {
    pub store: EventStore,
    pub owners: Vec<UserId>,
    /// As its file would hold it.
    pub master_key: String,
}

/// A migrated database with `OWNERS` owners who have keys.
pub(crate) async fn open(server: &Server, concurrency: usize) -> anyhow::Result<Ours> {
    server.fresh(DATABASE).await?;
    let owner = fixture::pool(server.owner(DATABASE), 2).await?;
    event_store::migrate(&owner).await?;
    let pool = fixture::pool(server.app(DATABASE), concurrency.clamp(4, 32)).await?;
    let master_key = master_key();
    let keyring = Keyring::open(pool.clone(), MasterKeys::parse(&master_key)?).await?;
    let clock = Clock::system();
    let keys = (0..OWNERS).map(|_| keyring.new_user_key(UserId(clock.new_id()), clock.new_id()));
    let keys = keys.collect::<Result<Vec<_>, _>>()?;
    sqlx::query("INSERT INTO user_keys (user_id, key_id, master_version, wrapped) SELECT * FROM unnest($1, $2, $3, $4)")
        .bind(keys.iter().map(|key| key.user_id.0).collect::<Vec<Uuid>>())
        .bind(keys.iter().map(|key| key.key_id).collect::<Vec<Uuid>>())
        .bind(keys.iter().map(|key| key.master_version).collect::<Vec<i32>>())
        .bind(keys.iter().map(|key| key.wrapped.clone()).collect::<Vec<Vec<u8>>>())
        .execute(&pool)
        .await?;
    let owners = keys.iter().map(|key| key.user_id).collect();
    sqlx::raw_sql("CHECKPOINT").execute(&owner).await.ok();
    Ok(Ours { store: EventStore::new(pool, keyring, clock), owners, master_key })
}

fn master_key() -> String {
    use base64::prelude::{BASE64_STANDARD, Engine};
    format!("1 {}", BASE64_STANDARD.encode(rand::random::<[u8; 32]>()))
}

pub(crate) fn context(store: &EventStore, owner: UserId) -> Context {
    Context {
        owner_id: owner,
        metadata: Metadata {
            actor: Actor::User(owner),
            correlation_id: store.clock().new_id(),
            causation_id: None,
            occurred_at: store.clock().now(),
            ip: None,
        },
        idempotency: None,
    }
}

/// Sends `commands` to one document as one append.
async fn send(
    store: &EventStore,
    owner: UserId,
    id: Uuid,
    commands: Vec<DocumentCommand>,
) -> anyhow::Result<()> {
    store
        .execute(context(store, owner), move |unit| {
            let commands = commands.clone();
            async move {
                let mut document = match commands.first() {
                    Some(DocumentCommand::RequestUpload(_)) => unit.create::<Document>(id).await?,
                    _ => unit.load::<Document>(id).await?,
                };
                for command in commands {
                    unit.handle(&mut document, command).await?;
                }
                Ok::<_, Failed>(())
            }
            .boxed()
        })
        .await?;
    Ok(())
}

/// New streams, one event each.
pub(crate) async fn append(server: &Server, concurrency: usize, secs: Duration) -> anyhow::Result<Measured> {
    append_on(open(server, concurrency).await?, concurrency, secs).await
}

/// The same while another session sits idle in a transaction, so that no dead row can be removed (fault F12).
pub(crate) async fn append_beside_idle(
    server: &Server,
    concurrency: usize,
    secs: Duration,
) -> anyhow::Result<Measured> {
    let ours = open(server, concurrency).await?;
    let mut idle = ours.store.pool().begin().await?;
    sqlx::query("INSERT INTO email_claims VALUES ('idle', gen_random_uuid())").execute(&mut *idle).await?;
    let measured = append_on(ours, concurrency, secs).await?;
    idle.rollback().await?;
    Ok(measured)
}

async fn append_on(ours: Ours, concurrency: usize, secs: Duration) -> anyhow::Result<Measured> {
    let ours = Arc::new(ours);
    closed_loop(concurrency, secs, move |worker, n| {
        let ours = Arc::clone(&ours);
        async move {
            let owner = ours.owners[(worker + usize::try_from(n)? * 7) % OWNERS];
            let request = fixture::request(owner, ours.store.clock())?;
            send(
                &ours.store,
                owner,
                ours.store.clock().new_id(),
                vec![DocumentCommand::RequestUpload(request)],
            )
            .await
        }
    })
    .await
}

/// One command on one of many ten-event streams.
pub(crate) async fn load_append(
    server: &Server,
    concurrency: usize,
    secs: Duration,
) -> anyhow::Result<Measured> {
    let ours = Arc::new(open(server, concurrency).await?);
    let documents: Vec<(UserId, Uuid)> = futures::stream::iter(0..STREAMS)
        .map(|n| {
            let ours = Arc::clone(&ours);
            async move { ten_events(&ours, usize::try_from(n)?).await }
        })
        .buffer_unordered(64)
        .try_collect()
        .await?;
    let documents = Arc::new(documents);
    // A store of its own, as after a restart: nothing is at hand.
    let store = EventStore::new(ours.store.pool().clone(), ours.store.keyring().clone(), Clock::system());
    closed_loop(concurrency, secs, move |_, n| {
        let (store, documents) = (store.clone(), Arc::clone(&documents));
        async move {
            let (owner, id) = documents[rand::random_range(0..documents.len())];
            send(&store, owner, id, vec![rename(owner, n + 100)?]).await
        }
    })
    .await
}

/// Writers on one stream.
pub(crate) async fn hot(server: &Server, concurrency: usize, secs: Duration) -> anyhow::Result<Measured> {
    let ours = Arc::new(open(server, concurrency).await?);
    let (owner, id) = ten_events(&ours, 0).await?;
    closed_loop(concurrency, secs, move |worker, n| {
        let ours = Arc::clone(&ours);
        async move { send(&ours.store, owner, id, vec![rename(owner, n * 1000 + worker as u64 + 100)?]).await }
    })
    .await
}

async fn ten_events(ours: &Ours, n: usize) -> anyhow::Result<(UserId, Uuid)> {
    let (owner, clock) = (ours.owners[n % OWNERS], ours.store.clock());
    let id = clock.new_id();
    let mut commands = vec![
        DocumentCommand::RequestUpload(fixture::request(owner, clock)?),
        DocumentCommand::CompleteUpload { now: clock.now() },
    ];
    for n in 1..=8 {
        commands.push(rename(owner, n)?);
    }
    send(&ours.store, owner, id, commands).await?;
    Ok((owner, id))
}

fn rename(owner: UserId, n: u64) -> Result<DocumentCommand, anyhow::Error> {
    Ok(DocumentCommand::Rename { name: fixture::name(owner, n)? })
}
