//! Passing over an event that a subscription cannot apply: by an operator, one event at a time, with a reason that stays.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgPool;

/// An event that a subscription passes over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Skip {
    pub position: i64,
    /// What kept it from being applied.
    pub error: String,
    pub reason: String,
    pub skipped_by: String,
    pub skipped_at: DateTime<Utc>,
}

impl Skip {
    /// Those of the subscription `name`, in order.
    pub async fn all_of(pool: &PgPool, name: &str) -> Result<Vec<Self>, sqlx::Error> {
        sqlx::query_as!(
            Skip,
            "SELECT position, error, reason, skipped_by, skipped_at FROM skipped_events
             WHERE name = $1 ORDER BY position",
            name
        )
        .fetch_all(pool)
        .await
    }
}

/// Has the subscription `name`, or the rebuild of it, pass over the event at `position`. False: it is not stopped there.
pub async fn skip(
    pool: &PgPool,
    name: &str,
    position: i64,
    reason: &str,
    skipped_by: &str,
) -> Result<bool, sqlx::Error> {
    let skipped = sqlx::query!(
        "INSERT INTO skipped_events (name, position, error, reason, skipped_by)
         SELECT name, position + 1, error, $3, $4 FROM checkpoints
         WHERE name = $1 AND position = $2::bigint - 1 AND error IS NOT NULL LIMIT 1
         ON CONFLICT DO NOTHING",
        name,
        position,
        reason,
        skipped_by
    );
    Ok(skipped.execute(pool).await?.rows_affected() == 1)
}
