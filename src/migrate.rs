//! Brings the database's schema up to this release.

use anyhow::Context;
use sqlx::postgres::PgPoolOptions;

use crate::config::DatabaseUrl;

/// Applies the migrations that are missing, under sqlx's advisory lock.
pub async fn run(database: &DatabaseUrl) -> anyhow::Result<()> {
    let pool = PgPoolOptions::new().max_connections(1).connect_with(database.connect_options()).await;
    let pool = pool.context("cannot connect to DATABASE_MIGRATE_URL")?;
    event_store::migrate(&pool).await.context("a migration failed")?;
    pool.close().await;
    Ok(())
}
