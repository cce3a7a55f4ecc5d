//! The log to read, and the keys to it.

use std::path::Path;
use std::str::FromStr;

use anyhow::Context;
use event_store::{Clock, EventStore, Keyring, MasterKeys};
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use crate::Settings;

/// A log, with or without the means to open its personal data.
pub struct Source {
    pub pool: PgPool,
    /// `None`: there is no master key at hand, and personal data stays sealed.
    pub store: Option<EventStore>,
}

impl Source {
    /// Connects to `DATABASE_URL`, and reads `DOCUVAULT_MASTER_KEY_FILE` if it is set.
    pub async fn open(settings: &Settings) -> anyhow::Result<Self> {
        let url = settings.secret("DATABASE_URL")?.context(
            "DATABASE_URL is not set: give --env-file DATA/env of a standalone vault, or set it in the environment",
        )?;
        // The parser's own message could repeat the password.
        let options = PgConnectOptions::from_str(&url)
            .ok()
            .context("DATABASE_URL is not a PostgreSQL URL such as postgres://user:password@host/database")?;
        let pool = PgPoolOptions::new()
            .max_connections(4)
            .test_before_acquire(false)
            .connect_with(options.application_name("docuvault-replay"))
            .await
            .context("DATABASE_URL: the database cannot be reached")?;
        let store = match settings.get("DOCUVAULT_MASTER_KEY_FILE") {
            None => None,
            Some(path) => {
                let keys = MasterKeys::read(Path::new(path)).context("DOCUVAULT_MASTER_KEY_FILE")?;
                let keyring =
                    Keyring::open(pool.clone(), keys).await.context("the log has not been migrated")?;
                Some(EventStore::new(pool.clone(), keyring, Clock::system()))
            }
        };
        Ok(Self { pool, store })
    }
}
