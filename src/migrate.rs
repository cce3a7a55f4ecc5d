//! Brings the database's schema up to this release. (Seam: the lead's `event_store::migrate` takes its place.)

use anyhow::Context;
use sqlx::{Connection, PgConnection};

use crate::config::DatabaseUrl;

/// Applies the migrations that are missing, under sqlx's advisory lock.
pub async fn run(database: &DatabaseUrl) -> anyhow::Result<()> {
    let mut connection = PgConnection::connect_with(&database.connect_options())
        .await
        .context("cannot connect to DATABASE_MIGRATE_URL")?;
    sqlx::migrate!().run(&mut connection).await.context("a migration failed")?;
    connection.close().await?;
    Ok(())
}
