//! The mails that wait. Several processes send: each takes one at a time, for a while, by a time in its row; no
//! transaction is open while a mail server is being talked to.

use std::time::Duration;

use aggregates::UserId;
use chrono::{DateTime, Utc};
use sqlx::PgPool;
use uuid::Uuid;

use super::Kind;

/// A mail that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// The event that it tells of.
    pub event_id: Uuid,
    pub recipient: UserId,
    pub kind: Kind,
    /// When it happened.
    pub at: DateTime<Utc>,
}

/// A row that this process has taken.
pub(super) struct Taken {
    pub(super) event_id: Uuid,
    pub(super) recipient: Uuid,
    pub(super) kind: String,
    pub(super) at: DateTime<Utc>,
    /// This one is counted.
    pub(super) tries: i32,
}

/// Has `mail` sent, unless its event is told of already in these words.
pub async fn enqueue(pool: &PgPool, mail: &Mail) -> Result<(), sqlx::Error> {
    let insert = sqlx::query!(
        "INSERT INTO outbox (event_id, recipient, kind, at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
        mail.event_id,
        mail.recipient.0,
        mail.kind.as_str(),
        mail.at
    );
    insert.execute(pool).await?;
    Ok(())
}

/// Takes the mail whose turn it is; nobody else does within `lease`.
pub(super) async fn take(pool: &PgPool, lease: Duration) -> Result<Option<Taken>, sqlx::Error> {
    sqlx::query_as!(
        Taken,
        "UPDATE outbox SET tries = tries + 1, next_try_at = clock_timestamp() + make_interval(secs => $1)
         WHERE (event_id, kind) = (SELECT event_id, kind FROM outbox WHERE done_at IS NULL AND next_try_at <= clock_timestamp()
                                   ORDER BY next_try_at LIMIT 1 FOR UPDATE SKIP LOCKED)
         RETURNING event_id, recipient, kind, at, tries",
        lease.as_secs_f64()
    )
    .fetch_optional(pool)
    .await
}

/// Nothing more is to be done for it. `problem`: it was given up, and why.
pub(super) async fn finish(pool: &PgPool, mail: &Taken, problem: Option<&str>) -> Result<(), sqlx::Error> {
    let done = sqlx::query!(
        "UPDATE outbox SET done_at = clock_timestamp(), error = $3 WHERE event_id = $1 AND kind = $2",
        mail.event_id,
        mail.kind,
        problem
    );
    done.execute(pool).await?;
    Ok(())
}

/// It is tried again after `pause`.
pub(super) async fn postpone(
    pool: &PgPool,
    mail: &Taken,
    pause: Duration,
    error: &str,
) -> Result<(), sqlx::Error> {
    let postponed = sqlx::query!(
        "UPDATE outbox SET next_try_at = clock_timestamp() + make_interval(secs => $3), error = $4
         WHERE event_id = $1 AND kind = $2 AND done_at IS NULL",
        mail.event_id,
        mail.kind,
        pause.as_secs_f64(),
        error
    );
    postponed.execute(pool).await?;
    Ok(())
}

/// How many wait.
pub(super) async fn waiting(pool: &PgPool) -> Result<i64, sqlx::Error> {
    let count = sqlx::query_scalar!(r#"SELECT count(*) AS "count!" FROM outbox WHERE done_at IS NULL"#);
    count.fetch_one(pool).await
}
