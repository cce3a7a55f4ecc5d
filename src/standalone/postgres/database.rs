//! The roles and the database of the vault, brought to the same state at every start. Passwords are set each
//! time, so that a lost DATA/env is no loss.

use anyhow::Context;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{Connection, Executor};

use crate::standalone::env_file::Settings;

use super::{Postgres, connect};

const ROLES: &str = include_str!("../../../migrations/roles.sql");
const DATABASE: &str = "docuvault";

impl Postgres<'_> {
    /// Runs twice or dies half-way without harm: every step looks first.
    pub(in crate::standalone) async fn provide_database(&self, settings: &Settings) -> anyhow::Result<()> {
        let superuser = connect::superuser(&self.data.postgres(), self.port)?;
        create(&superuser).await.context("cannot create the database")?;
        prepare(&superuser.database(DATABASE), settings).await.context("cannot set up the database's roles")
    }
}

async fn create(superuser: &PgConnectOptions) -> sqlx::Result<()> {
    let mut connection = PgConnection::connect_with(superuser).await?;
    let exists: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)")
        .bind(DATABASE)
        .fetch_one(&mut connection)
        .await?;
    if !exists {
        connection.execute(format!("CREATE DATABASE {DATABASE}").as_str()).await?;
    }
    connection.close().await
}

async fn prepare(superuser: &PgConnectOptions, settings: &Settings) -> sqlx::Result<()> {
    let mut connection = PgConnection::connect_with(superuser).await?;
    connection.execute(ROLES).await?;
    // A statement that fails is logged, and these hold passwords.
    connection.execute("SET log_min_error_statement = panic").await?;
    for [role, password] in [settings.app_login(), settings.migrate_login()] {
        // Names and passwords are our own (letters, digits, underscores); DDL takes no parameters.
        connection.execute(format!("ALTER ROLE {role} PASSWORD '{password}'").as_str()).await?;
    }
    connection.close().await
}
