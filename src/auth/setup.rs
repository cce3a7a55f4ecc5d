//! The way to the first administrator: a link with a random token, printed where only the operator reads it. There is
//! one at a time; a start of the server makes a new one for as long as nobody administers the vault.

use std::io::Write;

use chrono::{DateTime, TimeDelta, Utc};
use sha2::{Digest, Sha256};
use sqlx::PgPool;

use super::password::random;
use crate::app::App;

/// How long a setup link is good.
const LINK_TIME: TimeDelta = TimeDelta::hours(24);

/// Whether nobody administers the vault yet.
pub async fn is_needed(pool: &PgPool) -> Result<bool, sqlx::Error> {
    let needed = sqlx::query_scalar!(
        r#"SELECT NOT EXISTS (SELECT FROM credentials WHERE role = 'admin') AS "needed!""#
    );
    needed.fetch_one(pool).await
}

/// What is kept of a setup token.
pub fn token_hash(token: &str) -> Vec<u8> {
    Sha256::digest(token.as_bytes()).to_vec()
}

/// Whether a token with this hash is good now. Uses nothing up.
pub async fn is_good(pool: &PgPool, token_hash: &[u8], now: DateTime<Utc>) -> Result<bool, sqlx::Error> {
    let good = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM setup_token WHERE token_hash = $1 AND expires_at > $2) AS "good!""#,
        token_hash,
        now
    );
    good.fetch_one(pool).await
}

/// A new setup link, good for 24 hours; the one before dies. `None`: there is an administrator.
pub async fn new_link(app: &App) -> anyhow::Result<Option<String>> {
    let pool = app.store.pool();
    if !is_needed(pool).await? {
        return Ok(None);
    }
    let token = hex::encode(random::<32>()?);
    sqlx::query!(
        "INSERT INTO setup_token (token_hash, expires_at) VALUES ($1, $2)
         ON CONFLICT (single_row) DO UPDATE SET token_hash = excluded.token_hash, expires_at = excluded.expires_at",
        token_hash(&token),
        app.clock().now() + LINK_TIME
    )
    .execute(pool)
    .await?;
    let origin = app.config.http.public_url.origin().ascii_serialization();
    Ok(Some(format!("{origin}/setup#token={token}")))
}

/// Prints a new setup link if one is needed.
pub async fn announce_link(app: &App) -> anyhow::Result<()> {
    if let Some(link) = new_link(app).await? {
        // Nobody may be reading: no reason to stop.
        drop(writeln!(std::io::stdout(), "set up the vault within 24 hours: {link}"));
    }
    Ok(())
}
