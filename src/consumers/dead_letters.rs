//! Events that consumers could not handle, for operators to look at and to try again. A letter goes when its event has
//! been handled, and not before: a process that dies in between leaves it for another one.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgPool;
use utoipa::ToSchema;
use uuid::Uuid;

use super::TRIES;

/// An event that a consumer gave up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct DeadLetter {
    pub id: Uuid,
    pub consumer: String,
    /// Of the event in the log.
    pub position: i64,
    pub event_id: Uuid,
    pub tries: i32,
    /// Why the last try failed.
    pub error: String,
    pub first_failed_at: DateTime<Utc>,
    pub last_failed_at: DateTime<Utc>,
    /// `dead`, or `retrying`: an operator wants another try.
    pub state: String,
}

/// For people: three lines.
impl std::fmt::Display for DeadLetter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { id, consumer, position, event_id, tries, state, .. } = self;
        writeln!(f, "{id}  {state}  {consumer}, position {position}, event {event_id}")?;
        writeln!(f, "    {tries} tries from {} to {}", self.first_failed_at, self.last_failed_at)?;
        write!(f, "    {}", self.error)
    }
}

/// Which event a consumer is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub consumer: &'static str,
    pub position: i64,
    pub event_id: Uuid,
}

/// What a failed try led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failed {
    pub tries: i32,
    pub dead: bool,
}

/// Counts a failed try. With the last one (if the consumer ever `gives_up`) the event becomes a dead letter.
pub async fn fail(
    pool: &PgPool,
    new_id: Uuid,
    place: Place,
    error: &str,
    gives_up: bool,
) -> Result<Failed, sqlx::Error> {
    let last = if gives_up { TRIES } else { i32::MAX };
    let row = sqlx::query!(
        r#"INSERT INTO dead_letters AS letter (id, consumer, position, event_id, state, tries, error)
           VALUES ($1, $2, $3, $4, 'failing', 1, $5)
           ON CONFLICT (consumer, event_id) DO UPDATE SET
               tries = letter.tries + 1, error = excluded.error, last_failed_at = clock_timestamp(), claimed_until = NULL,
               position = excluded.position,
               state = CASE WHEN letter.state <> 'failing' OR letter.tries + 1 >= $6 THEN 'dead' ELSE 'failing' END
           RETURNING tries, state = 'dead' AS "dead!""#,
        new_id,
        place.consumer,
        place.position,
        place.event_id,
        error,
        last
    )
    .fetch_one(pool)
    .await?;
    Ok(Failed { tries: row.tries, dead: row.dead })
}

/// The event has been handled after all.
pub async fn clear(pool: &PgPool, place: Place) -> Result<(), sqlx::Error> {
    let cleared = sqlx::query!(
        "DELETE FROM dead_letters WHERE consumer = $1 AND event_id = $2",
        place.consumer,
        place.event_id
    );
    cleared.execute(pool).await?;
    Ok(())
}

/// Takes a letter that an operator wants to be tried again; for five minutes nobody else does.
pub(super) async fn claim(pool: &PgPool, consumer: &'static str) -> Result<Option<Place>, sqlx::Error> {
    let row = sqlx::query!(
        "UPDATE dead_letters SET claimed_until = clock_timestamp() + interval '5 minutes'
         WHERE id = (SELECT id FROM dead_letters
                     WHERE consumer = $1 AND state = 'retrying'
                     AND (claimed_until IS NULL OR claimed_until < clock_timestamp())
                     ORDER BY position LIMIT 1 FOR UPDATE SKIP LOCKED)
         RETURNING position, event_id",
        consumer
    );
    let row = row.fetch_optional(pool).await?;
    Ok(row.map(|row| Place { consumer, position: row.position, event_id: row.event_id }))
}

/// Ends a claim without an outcome: the next look tries again.
pub(super) async fn give_back(pool: &PgPool, place: Place) -> Result<(), sqlx::Error> {
    let given_back = sqlx::query!(
        "UPDATE dead_letters SET claimed_until = NULL WHERE consumer = $1 AND event_id = $2",
        place.consumer,
        place.event_id
    );
    given_back.execute(pool).await?;
    Ok(())
}

/// The letters after `after`, in the order in which their events first failed.
pub async fn list(pool: &PgPool, after: Option<Uuid>, limit: i64) -> Result<Vec<DeadLetter>, sqlx::Error> {
    sqlx::query_as!(
        DeadLetter,
        "SELECT id, consumer, position, event_id, tries, error, first_failed_at, last_failed_at, state
         FROM dead_letters WHERE state <> 'failing' AND id > $1 ORDER BY id LIMIT $2",
        after.unwrap_or_default(),
        limit
    )
    .fetch_all(pool)
    .await
}

/// Asks for another try. `None`: there is no such letter (any more).
pub async fn retry(pool: &PgPool, id: Uuid) -> Result<Option<DeadLetter>, sqlx::Error> {
    sqlx::query_as!(
        DeadLetter,
        "UPDATE dead_letters SET state = 'retrying' WHERE id = $1 AND state <> 'failing'
         RETURNING id, consumer, position, event_id, tries, error, first_failed_at, last_failed_at, state",
        id
    )
    .fetch_optional(pool)
    .await
}

/// How many letters of a consumer wait for an operator.
pub(super) async fn count(pool: &PgPool, consumer: &str) -> Result<i64, sqlx::Error> {
    let count = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM dead_letters WHERE consumer = $1 AND state <> 'failing'"#,
        consumer
    );
    count.fetch_one(pool).await
}
