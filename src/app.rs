//! The composition root: everything that requests are answered with, built once from the configuration.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use event_store::{Clock, EventStore, InstallationKey, Keyring, MasterKeys};
use projections::Freshness;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::auth::attempts::Attempts;
use crate::auth::email::EmailIndex;
use crate::auth::link::Links;
use crate::auth::password::{Parameters, Passwords};
use crate::auth::password_policy::PasswordPolicy;
use crate::auth::refresh_token::RefreshTokens;
use crate::auth::session_checks::SessionChecks;
use crate::auth::token::Tokens;
use crate::auth::{Key, keyed_hash};
use crate::blobs::Blobs;
use crate::config::Config;

/// Connections to PostgreSQL of one process, beside those of the batcher and the watches.
const CONNECTIONS: u32 = 24;
/// Whoever gets no connection within this time is turned away with 503.
const CONNECTION_WAIT: Duration = Duration::from_secs(2);

/// What every handler may use.
pub struct App {
    pub config: Config,
    pub store: EventStore,
    pub blobs: Blobs,
    /// Of the read models that requests wait for.
    pub freshness: Freshness,
    /// Of the audit trail, which only its readers wait for.
    pub audit_freshness: Freshness,
    pub passwords: Passwords,
    pub policy: PasswordPolicy,
    pub tokens: Tokens,
    pub refresh_tokens: RefreshTokens,
    pub emails: EmailIndex,
    pub links: Links,
    pub attempts: Attempts,
    pub session_checks: SessionChecks,
    /// What goes on after its request was answered, so that the answer tells nothing by its time.
    pub afterwards: TaskTracker,
    idempotency_key: Key,
}

impl App {
    /// Connects to the database and reads the master key. What it starts ends with `stop`.
    pub async fn build(config: Config, stop: CancellationToken) -> anyhow::Result<Arc<Self>> {
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(CONNECTION_WAIT)
            .test_before_acquire(false)
            .connect_with(config.database.connect_options())
            .await
            .context("cannot connect to DATABASE_URL")?;
        let master = MasterKeys::read(&config.vault.master_key_file)?;
        Self::with(config, pool, master, Clock::system(), Parameters::PRODUCT, stop).await
    }

    /// As [`Self::build`], of given parts.
    pub async fn with(
        config: Config,
        pool: PgPool,
        master: MasterKeys,
        clock: Clock,
        password_cost: Parameters,
        stop: CancellationToken,
    ) -> anyhow::Result<Arc<Self>> {
        let keyring = Keyring::open(pool.clone(), master).await?;
        let key = async |purpose| keyring.installation_key(purpose, clock.new_id()).await;
        let all = projections::all();
        let names: Vec<_> = all.iter().map(|projection| projection.name()).collect();
        let serving: Vec<_> =
            all.iter().filter(|one| one.serves_requests()).map(|projection| projection.name()).collect();
        let freshness = Freshness::start(pool.clone(), &names, stop);
        let store = EventStore::new(pool.clone(), keyring.clone(), clock.clone());
        Ok(Arc::new(Self {
            blobs: Blobs::new(&config.s3, clock.clone()),
            audit_freshness: freshness.of(&[projections::audit_trail::NAME]),
            freshness: freshness.of(&serving),
            passwords: Passwords::new(password_cost, key(InstallationKey::Pepper).await?),
            policy: PasswordPolicy::new(config.vault.breaches.as_ref())?,
            tokens: Tokens::new(&key(InstallationKey::AccessToken).await?, &config.http.public_url),
            refresh_tokens: RefreshTokens::new(key(InstallationKey::Refresh).await?),
            emails: EmailIndex::new(key(InstallationKey::EmailIndex).await?),
            attempts: Attempts::new(pool.clone(), clock.clone(), config.vault.limits),
            links: Links::new(key(InstallationKey::Link).await?, &config.http.public_url),
            afterwards: TaskTracker::new(),
            idempotency_key: key(InstallationKey::Idempotency).await?,
            session_checks: SessionChecks::new(store.clone()),
            store,
            config,
        }))
    }

    pub fn clock(&self) -> &Clock {
        self.store.clock()
    }

    /// The hash that binds an idempotency key to the body it came with.
    pub fn body_hash(&self, body: &[u8]) -> Vec<u8> {
        keyed_hash(&self.idempotency_key, &[body]).to_vec()
    }
}
