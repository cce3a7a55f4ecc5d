//! From where somebody has shown the right secret of an account lately: NIST SP 800-63B-4 §3.2.2 names this among what
//! keeps attackers from locking people out. A row is a hash of account and network; the table tells nobody where anybody is.

use std::net::IpAddr;

use chrono::{DateTime, TimeDelta, Utc};
use sha2::{Digest, Sha256};
use sqlx::PgPool;

use super::network;

const SCOPE: &str = "known-place";
/// How long a place is known after the last login there.
const KNOWN_FOR: TimeDelta = TimeDelta::days(90);
/// A row is not written again before this time.
const SETTLED_FOR: TimeDelta = TimeDelta::days(1);

/// An account and a network.
pub(super) struct Place(Vec<u8>);

impl Place {
    pub(super) fn of(email_hash: &[u8], ip: IpAddr) -> Self {
        Self(Sha256::new().chain_update(email_hash).chain_update(network(ip)).finalize().to_vec())
    }

    pub(super) async fn is_known(&self, pool: &PgPool, now: DateTime<Utc>) -> sqlx::Result<bool> {
        let known = sqlx::query_scalar!(
            r#"SELECT EXISTS (SELECT FROM attempts WHERE scope = $1 AND subject = $2 AND window_ends > $3) AS "known!""#,
            SCOPE,
            self.0,
            now
        );
        known.fetch_one(pool).await
    }

    /// Somebody has signed in from there.
    pub(super) async fn remember(&self, pool: &PgPool, now: DateTime<Utc>) -> sqlx::Result<()> {
        sqlx::query!(
            "INSERT INTO attempts AS a (scope, subject, taken, pending, consecutive, taken_at, window_ends)
             VALUES ($1, $2, 0, 0, 0, $3, $4)
             ON CONFLICT (scope, subject) DO UPDATE SET taken_at = $3, window_ends = $4 WHERE a.taken_at <= $5",
            SCOPE,
            self.0,
            now,
            now + KNOWN_FOR,
            now - SETTLED_FOR
        )
        .execute(pool)
        .await?;
        Ok(())
    }
}
