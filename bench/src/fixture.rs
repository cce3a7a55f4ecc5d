//! Fresh databases, and the documents that every peer stores.

use std::path::PathBuf;
use std::str::FromStr;

use aggregates::document::{ContentHash, Transfer, UploadRequest};
use aggregates::{Name, Personal, UploadId, UserId};
use anyhow::Context;
use event_store::Clock;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, PgConnection, PgPool};

/// Streams of the load-decide-append cells, ten events each.
pub(crate) const STREAMS: u64 = 10_000;

/// The PostgreSQL that all peers share.
pub(crate) struct Server {
    admin: PgConnectOptions,
    app_password: String,
    pub pg_bindir: PathBuf,
    /// The binary.
    pub docuvault: PathBuf,
}

impl Server {
    pub(crate) fn new(
        database_url: &str,
        app_password: &str,
        pg_bindir: PathBuf,
        docuvault: PathBuf,
    ) -> anyhow::Result<Self> {
        let admin = PgConnectOptions::from_str(database_url).context("DATABASE_URL")?;
        let admin = admin.disable_statement_logging();
        Ok(Self { admin, app_password: app_password.into(), pg_bindir, docuvault })
    }

    /// Makes database `name` anew and checkpoints, so that no peer pays for another.
    pub(crate) async fn fresh(&self, name: &str) -> anyhow::Result<()> {
        let mut connection = PgConnection::connect_with(&self.admin).await?;
        for sql in [format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"), format!("CREATE DATABASE {name}")]
        {
            sqlx::raw_sql(&sql).execute(&mut connection).await?;
        }
        Ok(())
    }

    pub(crate) fn owner(&self, database: &str) -> PgConnectOptions {
        self.admin.clone().database(database)
    }

    pub(crate) fn app(&self, database: &str) -> PgConnectOptions {
        self.owner(database).username("docuvault_app").password(&self.app_password)
    }

    /// For a process of its own.
    pub(crate) fn app_url(&self, database: &str) -> String {
        let mut url = self.app(database).to_url_lossy();
        // Its parameters are sqlx's own.
        url.set_query(None);
        url.into()
    }
}

/// As many connections as workers, without a ping before each use (postgres-es gets the same).
pub(crate) async fn pool(options: PgConnectOptions, connections: usize) -> anyhow::Result<PgPool> {
    let connections = u32::try_from(connections)?;
    let pool = PgPoolOptions::new().max_connections(connections).test_before_acquire(false);
    Ok(pool.connect_with(options).await?)
}

/// An upload as a client would request it.
pub(crate) fn request(owner: UserId, clock: &Clock) -> anyhow::Result<Box<UploadRequest>> {
    let upload_id = UploadId(clock.new_id());
    let hash = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".to_owned();
    Ok(Box::new(UploadRequest {
        owner_id: owner,
        upload_id,
        name: name(owner, 0)?,
        content_type: "application/pdf".into(),
        size: 1000,
        content_hash: ContentHash {
            salted: hash.clone(),
            nonce: Personal::new(owner, hash.clone()),
            sha256: Personal::new(owner, hash),
        },
        object_key: format!("{owner}/{upload_id}.pdf"),
        transfer: Transfer::Single { staging_key: format!("staging/{owner}/{upload_id}") },
        folder_id: None,
        expires_at: clock.now() + chrono::TimeDelta::days(1),
    }))
}

/// A file name that differs for each `n`.
pub(crate) fn name(owner: UserId, n: u64) -> anyhow::Result<Personal<Name>> {
    Ok(Personal::new(owner, Name::parse(&format!("Statement of account {n}.pdf"))?))
}
