//! Attempts at secrets. Each is counted in the database before the secret is looked at, so that neither parallel requests
//! nor a restart nor another instance give more of them (attacks A03 to A05); one that was right is given back. What is
//! counted are failures: whoever knows the secret is never slowed down by it, and many who sign in at once only wait for
//! each other's outcome.

mod counter;
mod place;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::time::Duration;

use aggregates::UserId;
use chrono::{DateTime, TimeDelta, Utc};
use event_store::Clock;
use rand::RngExt;
use sqlx::PgPool;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::config::Limits;
use crate::error::ApiError;
use crate::mail::Kind;
use counter::{CONSECUTIVE, Counted, Counter, State};
use place::Place;

/// How long an attempt waits while only attempts with an open outcome are in its way.
const PATIENCE: Duration = Duration::from_secs(10);
/// So many wait at once, at most: whoever comes then is turned away.
const WAITING: usize = 256;
/// Milliseconds between two looks.
const PAUSE: std::ops::Range<u64> = 50..200;
/// An account's failures in a row are remembered for this long after the last.
const REMEMBERED: TimeDelta = TimeDelta::days(30);

const PASSWORD_LOCKED: &str = "Too many failed attempts in a row. Reset the password, by the link that \"forgot password\" \
                               sends or by an administrator; then sign in with the new one.";
const CODES_LOCKED: &str =
    "Too many wrong codes in a row. Only an administrator can help: by taking the second factor off.";

/// Counts attempts.
pub struct Attempts {
    pool: PgPool,
    clock: Clock,
    limits: Limits,
    waiting: Semaphore,
}

/// An attempt that has been counted. Dropped, it stays counted, as a failure.
#[must_use]
pub struct Attempt<'a> {
    attempts: &'a Attempts,
    counted: Vec<Counted>,
    place: Option<Place>,
}

impl Attempts {
    pub const fn new(pool: PgPool, clock: Clock, limits: Limits) -> Self {
        Self { pool, clock, limits, waiting: Semaphore::const_new(WAITING) }
    }

    /// At the password of the account with this claim, whether it exists or not. From where somebody has signed in to it
    /// lately its failures in a row lock nobody out: a stranger cannot keep the owner away (ASVS 5.0 V6.1.1).
    pub async fn at_password(&self, email_hash: &[u8], ip: Option<IpAddr>) -> Result<Attempt<'_>, ApiError> {
        let place = ip.map(|ip| Place::of(email_hash, ip));
        let network =
            ip.map(network).and_then(|ip| Counter::of_network("password-ip", ip, self.limits.password_ip));
        let account = Counter::of_account("password-account", email_hash, self.limits.password_account);
        let account = self.acquainted(account, place.as_ref()).await?;
        let attempt = self.take(network.into_iter().chain(account).collect(), PASSWORD_LOCKED).await?;
        Ok(Attempt { place, ..attempt })
    }

    /// At the second factor of `user`, whichever kind of code it is.
    pub async fn at_code(&self, user: UserId, ip: Option<IpAddr>) -> Result<Attempt<'_>, ApiError> {
        let place = ip.map(|ip| Place::of(user.0.as_bytes(), ip));
        let account = Counter::of_account("code-account", user.0.as_bytes(), self.limits.code_account);
        let account = self.acquainted(account, place.as_ref()).await?;
        let attempt = self.take(account.into_iter().collect(), CODES_LOCKED).await?;
        Ok(Attempt { place, ..attempt })
    }

    async fn acquainted(
        &self,
        account: Option<Counter>,
        place: Option<&Place>,
    ) -> Result<Option<Counter>, ApiError> {
        let is_known = match place {
            Some(place) => place.is_known(&self.pool, self.clock.now()).await?,
            None => false,
        };
        Ok(if is_known { account.map(Counter::of_acquaintance) } else { account })
    }

    /// A mail of one kind to the address with this claim, asked for by somebody who may be anybody. False: enough went there.
    pub async fn at_mail(&self, kind: Kind, email_hash: &[u8]) -> Result<bool, ApiError> {
        let limit = self.limits.reset_account;
        let counter = Counter::of_network(kind.as_str(), email_hash.to_vec(), limit);
        Ok(self.request(counter).await?.is_none())
    }

    /// A request for a way around a forgotten password, whoever it is about.
    pub async fn at_reset(&self, ip: Option<IpAddr>) -> Result<(), ApiError> {
        let limit = self.limits.reset_ip;
        let counter = ip.and_then(|ip| Counter::of_network("reset-ip", network(ip), limit));
        self.request(counter).await?.map_or(Ok(()), |pause| Err(ApiError::RateLimited(pause)))
    }

    /// A registration, whoever it is of.
    pub async fn at_registration(&self, ip: Option<IpAddr>) -> Result<(), ApiError> {
        let limit = self.limits.register_ip;
        let counter = ip.and_then(|ip| Counter::of_network("register-ip", network(ip), limit));
        self.request(counter).await?.map_or(Ok(()), |pause| Err(ApiError::RateLimited(pause)))
    }

    /// Counts a request, which has no outcome; or says how long there may be none.
    async fn request(&self, counter: Option<Counter>) -> Result<Option<Duration>, ApiError> {
        let Some(counter) = counter else { return Ok(None) };
        let now = self.clock.now();
        if let Some(counted) = counter.count(&self.pool, now).await? {
            counted.close(&self.pool).await?;
            return Ok(None);
        }
        Ok(match counter.state(&self.pool, now).await? {
            State::Full(pause) | State::Locked(pause) => Some(pause),
            State::Busy | State::Room => Some(Duration::ZERO),
        })
    }

    /// Forgets what nobody needs: windows that have ended, and failures in a row that were long ago. Accounts that are
    /// locked stay so, those that do not exist included.
    pub async fn sweep(pool: &PgPool, now: DateTime<Utc>) -> Result<u64, sqlx::Error> {
        let swept = sqlx::query!(
            "DELETE FROM attempts
             WHERE window_ends <= $1 AND (consecutive = 0 OR (window_ends <= $2 AND consecutive < $3))",
            now,
            now - REMEMBERED,
            CONSECUTIVE
        );
        Ok(swept.execute(pool).await?.rows_affected())
    }

    /// Counts an attempt everywhere or nowhere. Nothing is held while it waits, so nobody waits for those who do.
    async fn take(&self, counters: Vec<Counter>, locked: &'static str) -> Result<Attempt<'_>, ApiError> {
        let patience = Instant::now() + PATIENCE;
        let mut place = None;
        loop {
            match self.try_take(&counters).await? {
                Ok(attempt) => return Ok(attempt),
                Err(State::Locked(pause)) => return Err(ApiError::LockedOut(locked, pause)),
                Err(State::Full(pause)) => return Err(ApiError::RateLimited(pause)),
                Err(State::Busy | State::Room) => {}
            }
            let busy = || ApiError::Unavailable("too many attempts at the same secret are under way".into());
            if place.is_none() {
                place = Some(self.waiting.try_acquire().map_err(|_| busy())?);
            }
            self.wait_for_room(&counters, patience).await?.then_some(()).ok_or_else(busy)?;
        }
    }

    /// What is in the way is told if there is something.
    async fn try_take(&self, counters: &[Counter]) -> Result<Result<Attempt<'_>, State>, ApiError> {
        let mut attempt = Attempt { attempts: self, counted: Vec::new(), place: None };
        for counter in counters {
            if let Some(counted) = counter.count(&self.pool, self.clock.now()).await? {
                attempt.counted.push(counted);
            } else {
                attempt.withdraw().await?;
                return Ok(Err(counter.state(&self.pool, self.clock.now()).await?));
            }
        }
        Ok(Ok(attempt))
    }

    /// Looks now and then, without taking a lock. False: it took too long.
    async fn wait_for_room(&self, counters: &[Counter], until: Instant) -> Result<bool, ApiError> {
        while Instant::now() < until {
            let pause = Duration::from_millis(rand::rng().random_range(PAUSE));
            tokio::time::sleep(pause).await;
            let mut is_busy = false;
            for counter in counters {
                is_busy |= counter.state(&self.pool, self.clock.now()).await? == State::Busy;
            }
            if !is_busy {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl Attempt<'_> {
    /// The secret was right: an account's failures before it were honest ones. It says nothing of a whole network.
    pub async fn succeeded(self) -> Result<(), ApiError> {
        for counted in &self.counted {
            if counted.is_of_account() {
                counted.forgive(&self.attempts.pool).await?;
            } else {
                counted.give_back(&self.attempts.pool).await?;
            }
        }
        if let Some(place) = &self.place {
            place.remember(&self.attempts.pool, self.attempts.clock.now()).await?;
        }
        Ok(())
    }

    /// The secret was wrong.
    pub async fn failed(self) -> Result<(), ApiError> {
        for counted in &self.counted {
            counted.close(&self.attempts.pool).await?;
        }
        Ok(())
    }

    /// The secret was not looked at: it is as if this had never been.
    pub async fn withdraw(self) -> Result<(), ApiError> {
        for counted in &self.counted {
            counted.give_back(&self.attempts.pool).await?;
        }
        Ok(())
    }
}

/// What stands for an address: itself, or the /64 that one customer has of IPv6.
fn network(ip: IpAddr) -> Vec<u8> {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets()[..8].to_vec(),
    }
}
