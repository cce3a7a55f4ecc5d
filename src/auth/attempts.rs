//! Attempts at secrets. Each is counted in the database before the secret is looked at, so that neither parallel requests
//! nor a restart nor another instance give more of them (attacks A03 to A05); one that was right is given back. What is
//! counted are failures: whoever knows the secret is never slowed down by it.

use std::net::IpAddr;
use std::time::Duration;

use aggregates::UserId;
use chrono::{DateTime, TimeDelta, Utc};
use event_store::Clock;
use sqlx::PgPool;

use crate::error::ApiError;
use crate::mail::Kind;

/// So many failures within so long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    pub failures: i32,
    pub within: TimeDelta,
}

/// What is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub password_account: Limit,
    pub password_ip: Limit,
    pub code_account: Limit,
    /// Mails that anybody can have sent to one address, of each kind.
    pub reset_account: Limit,
    pub reset_ip: Limit,
}

/// Counts attempts.
pub struct Attempts {
    pool: PgPool,
    clock: Clock,
    limits: Limits,
}

/// An attempt that has been counted. Dropped, it stays counted.
#[must_use]
pub struct Attempt<'a> {
    attempts: &'a Attempts,
    counters: Vec<Counter>,
}

/// Where an attempt is counted.
struct Counter {
    scope: &'static str,
    subject: Vec<u8>,
    limit: Limit,
    /// A success proves that the failures before were honest, too. It does not of a whole network.
    is_of_account: bool,
}

impl Default for Limits {
    fn default() -> Self {
        let within = |failures, minutes| Limit { failures, within: TimeDelta::minutes(minutes) };
        Self {
            password_account: within(5, 15),
            password_ip: within(20, 15),
            code_account: within(5, 15),
            reset_account: within(3, 60),
            reset_ip: within(10, 60),
        }
    }
}

impl Attempts {
    pub const fn new(pool: PgPool, clock: Clock, limits: Limits) -> Self {
        Self { pool, clock, limits }
    }

    /// At the password of the account with this claim, whether it exists or not.
    pub async fn at_password(&self, email_hash: &[u8], ip: Option<IpAddr>) -> Result<Attempt<'_>, ApiError> {
        let account = Counter {
            scope: "password-account",
            subject: email_hash.to_vec(),
            limit: self.limits.password_account,
            is_of_account: true,
        };
        let network = ip.map(|ip| Counter {
            scope: "password-ip",
            subject: network(ip),
            limit: self.limits.password_ip,
            is_of_account: false,
        });
        self.take(network.into_iter().chain([account]).collect()).await
    }

    /// At the second factor of `user`, whichever kind of code it is.
    pub async fn at_code(&self, user: UserId) -> Result<Attempt<'_>, ApiError> {
        let account = Counter {
            scope: "code-account",
            subject: user.0.as_bytes().to_vec(),
            limit: self.limits.code_account,
            is_of_account: true,
        };
        self.take(vec![account]).await
    }

    /// A mail of one kind to the address with this claim, asked for by somebody who may be anybody. False: enough went there.
    pub async fn at_mail(&self, kind: Kind, email_hash: &[u8]) -> Result<bool, ApiError> {
        let (subject, limit) = (email_hash.to_vec(), self.limits.reset_account);
        let counter = Counter { scope: kind.as_str(), subject, limit, is_of_account: true };
        Ok(self.count(&counter).await?.is_none())
    }

    /// A request for a way around a forgotten password, whoever it is about.
    pub async fn at_reset(&self, ip: Option<IpAddr>) -> Result<(), ApiError> {
        let Some(ip) = ip else { return Ok(()) };
        let (subject, limit) = (network(ip), self.limits.reset_ip);
        let counter = Counter { scope: "reset-ip", subject, limit, is_of_account: false };
        self.count(&counter).await?.map_or(Ok(()), |pause| Err(ApiError::RateLimited(pause)))
    }

    async fn take(&self, counters: Vec<Counter>) -> Result<Attempt<'_>, ApiError> {
        let mut attempt = Attempt { attempts: self, counters: Vec::new() };
        for counter in counters {
            if let Some(pause) = self.count(&counter).await? {
                attempt.settle(false).await?;
                return Err(ApiError::RateLimited(pause));
            }
            attempt.counters.push(counter);
        }
        Ok(attempt)
    }

    /// Counts one attempt; or says how long there is none left.
    async fn count(&self, counter: &Counter) -> Result<Option<Duration>, ApiError> {
        let Counter { scope, subject, limit, .. } = counter;
        let now = self.clock.now();
        let counted = sqlx::query!(
            "INSERT INTO attempts (scope, subject, taken, pending, consecutive, window_ends) VALUES ($1, $2, 1, 1, 0, $4)
             ON CONFLICT (scope, subject) DO UPDATE SET
                 taken = CASE WHEN attempts.window_ends <= $3 THEN 1 ELSE attempts.taken + 1 END,
                 pending = CASE WHEN attempts.window_ends <= $3 THEN 1 ELSE attempts.pending + 1 END,
                 window_ends = CASE WHEN attempts.window_ends <= $3 THEN $4 ELSE attempts.window_ends END
             WHERE attempts.window_ends <= $3 OR attempts.taken < $5",
            *scope,
            subject,
            now,
            now + limit.within,
            limit.failures
        );
        if counted.execute(&self.pool).await?.rows_affected() > 0 {
            return Ok(None);
        }
        let ends: Option<DateTime<Utc>> = sqlx::query_scalar!(
            "SELECT window_ends FROM attempts WHERE scope = $1 AND subject = $2",
            *scope,
            subject
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(Some(ends.and_then(|ends| (ends - now).to_std().ok()).unwrap_or_default()))
    }
}

impl Attempt<'_> {
    /// The secret was right.
    pub async fn succeeded(self) -> Result<(), ApiError> {
        self.settle(true).await
    }

    /// The secret was wrong.
    pub async fn failed(self) -> Result<(), ApiError> {
        for counter in &self.counters {
            sqlx::query!(
                "UPDATE attempts SET pending = greatest(pending - 1, 0), consecutive = consecutive + 1
                 WHERE scope = $1 AND subject = $2",
                counter.scope,
                counter.subject
            )
            .execute(&self.attempts.pool)
            .await?;
        }
        Ok(())
    }

    /// Gives it back; `is_right` forgets an account's failures with it.
    async fn settle(self, is_right: bool) -> Result<(), ApiError> {
        for counter in &self.counters {
            sqlx::query!(
                "UPDATE attempts SET taken = CASE WHEN $3 THEN greatest(pending - 1, 0) ELSE greatest(taken - 1, 0) END,
                     pending = greatest(pending - 1, 0), consecutive = CASE WHEN $3 THEN 0 ELSE consecutive END
                 WHERE scope = $1 AND subject = $2",
                counter.scope,
                counter.subject,
                is_right && counter.is_of_account
            )
            .execute(&self.attempts.pool)
            .await?;
        }
        Ok(())
    }
}

/// What stands for an address: itself, or the /64 that one customer has of IPv6.
fn network(ip: IpAddr) -> Vec<u8> {
    match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets()[..8].to_vec(),
    }
}
