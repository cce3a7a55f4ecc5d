//! Where attempts are counted: a row for each account and network, changed by one statement at a time.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgPool;

use crate::config::Limit;

/// An account's failures in a row, over all windows, until its secret is not looked at any more (NIST SP 800-63B-4 §3.2.2).
pub(super) const CONSECUTIVE: i32 = 100;
/// No request takes longer: what is pending after that will never be settled.
const ABANDONED: TimeDelta = TimeDelta::seconds(45);

/// One row.
pub(super) struct Counter {
    scope: &'static str,
    subject: Vec<u8>,
    limit: Limit,
    is_of_account: bool,
    /// Failures in a row before the secret is not looked at any more.
    consecutive: i32,
}

/// An attempt, as it was counted in one row.
pub(super) struct Counted {
    scope: &'static str,
    subject: Vec<u8>,
    is_of_account: bool,
    /// Which window it belongs to. In a later one only the failures in a row know of it.
    window_ends: DateTime<Utc>,
}

/// What an attempt finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Room,
    /// There may be room once those that are under way have an outcome.
    Busy,
    /// By failures; until this time has passed.
    Full(Duration),
    /// By failures in a row: for good. The time is only something to tell.
    Locked(Duration),
}

impl Counter {
    pub(super) fn of_account(scope: &'static str, subject: &[u8], limit: Option<Limit>) -> Option<Self> {
        let (subject, limit) = (subject.to_vec(), limit?);
        Some(Self { scope, subject, limit, is_of_account: true, consecutive: CONSECUTIVE })
    }

    /// Of whoever shares `subject`: a success of one says nothing of the others, so failures in a row mean nothing.
    pub(super) fn of_network(scope: &'static str, subject: Vec<u8>, limit: Option<Limit>) -> Option<Self> {
        Some(Self { scope, subject, limit: limit?, is_of_account: false, consecutive: i32::MAX })
    }

    /// The same, for whoever is known to be no stranger to the account: not locked by failures in a row.
    pub(super) fn of_acquaintance(self) -> Self {
        Self { consecutive: i32::MAX, ..self }
    }

    /// Counts one attempt, unless there is no room for it.
    pub(super) async fn count(&self, pool: &PgPool, now: DateTime<Utc>) -> sqlx::Result<Option<Counted>> {
        let Self { scope, subject, limit, is_of_account, consecutive } = self;
        let counted = sqlx::query_scalar!(
            "INSERT INTO attempts AS a (scope, subject, taken, pending, consecutive, taken_at, window_ends)
             VALUES ($1, $2, 1, 1, $6::boolean::integer, $3, $4)
             ON CONFLICT (scope, subject) DO UPDATE SET
                 taken = CASE WHEN a.window_ends <= $3 THEN 1 ELSE a.taken + 1 END,
                 pending = CASE WHEN a.window_ends <= $3 THEN 1 ELSE a.pending + 1 END,
                 consecutive = a.consecutive + $6::boolean::integer,
                 taken_at = $3,
                 window_ends = CASE WHEN a.window_ends <= $3 THEN $4 ELSE a.window_ends END
             WHERE (a.window_ends <= $3 OR a.taken < $5) AND a.consecutive < $7
             RETURNING window_ends",
            *scope,
            subject,
            now,
            now + limit.within,
            limit.failures,
            *is_of_account,
            *consecutive
        );
        let window_ends = counted.fetch_optional(pool).await?;
        Ok(window_ends.map(|window_ends| Counted {
            scope: self.scope,
            subject: self.subject.clone(),
            is_of_account: self.is_of_account,
            window_ends,
        }))
    }

    /// What an attempt would find. Takes no lock.
    pub(super) async fn state(&self, pool: &PgPool, now: DateTime<Utc>) -> sqlx::Result<State> {
        let row = sqlx::query!(
            "SELECT taken, pending, consecutive, taken_at, window_ends FROM attempts WHERE scope = $1 AND subject = $2",
            self.scope,
            self.subject
        );
        let Some(row) = row.fetch_optional(pool).await? else { return Ok(State::Room) };
        let pending = if row.taken_at + ABANDONED > now { row.pending } else { 0 };
        let has_ended = row.window_ends <= now;
        Ok(if row.consecutive - pending >= self.consecutive {
            State::Locked(self.limit.within.to_std().unwrap_or_default())
        } else if row.consecutive >= self.consecutive {
            State::Busy
        } else if has_ended || row.taken < self.limit.failures {
            State::Room
        } else if row.taken - pending >= self.limit.failures {
            State::Full((row.window_ends - now).to_std().unwrap_or_default())
        } else {
            State::Busy
        })
    }
}

impl Counted {
    pub(super) const fn is_of_account(&self) -> bool {
        self.is_of_account
    }

    /// It failed: its outcome is not open any more.
    pub(super) async fn close(&self, pool: &PgPool) -> sqlx::Result<()> {
        sqlx::query!(
            "UPDATE attempts SET pending = greatest(pending - 1, 0)
             WHERE scope = $1 AND subject = $2 AND window_ends = $3",
            self.scope,
            self.subject,
            self.window_ends
        )
        .execute(pool)
        .await?;
        Ok(())
    }

    /// It is counted no more.
    pub(super) async fn give_back(&self, pool: &PgPool) -> sqlx::Result<()> {
        sqlx::query!(
            "UPDATE attempts SET
                 taken = CASE WHEN window_ends = $3 THEN greatest(taken - 1, 0) ELSE taken END,
                 pending = CASE WHEN window_ends = $3 THEN greatest(pending - 1, 0) ELSE pending END,
                 consecutive = greatest(consecutive - 1, 0)
             WHERE scope = $1 AND subject = $2",
            self.scope,
            self.subject,
            self.window_ends
        )
        .execute(pool)
        .await?;
        Ok(())
    }

    /// It succeeded, and nothing counts but what is still open.
    pub(super) async fn forgive(&self, pool: &PgPool) -> sqlx::Result<()> {
        sqlx::query!(
            "UPDATE attempts SET
                 taken = CASE WHEN window_ends = $3 THEN greatest(pending - 1, 0) ELSE taken END,
                 pending = CASE WHEN window_ends = $3 THEN greatest(pending - 1, 0) ELSE pending END,
                 consecutive = CASE WHEN window_ends = $3 THEN greatest(pending - 1, 0) ELSE least(consecutive, taken) END
             WHERE scope = $1 AND subject = $2",
            self.scope,
            self.subject,
            self.window_ends
        )
        .execute(pool)
        .await?;
        Ok(())
    }
}
