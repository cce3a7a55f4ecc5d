//! Which events a history is made of: found by the indexes that the log has for its own work, so that no append pays
//! for a history, and no history reads the whole log.

use chrono::{DateTime, Utc};
use event_store::RawEvent;
use sqlx::PgPool;
use uuid::Uuid;

/// What the history is about.
#[derive(Clone, Debug)]
pub enum About {
    /// A document: its changes, and who fetched it.
    Document(Uuid),
    /// A person: the whole vault of theirs, and what they did elsewhere.
    User(Uuid),
    /// One stream, by the id of its aggregate.
    Stream(String),
}

/// A part of the log.
#[derive(Clone, Debug)]
pub struct Selection {
    pub about: About,
    /// Recorded at this time or later.
    pub from: Option<DateTime<Utc>>,
    /// Recorded before this time.
    pub to: Option<DateTime<Utc>>,
}

impl Selection {
    /// Positions in the order of the log.
    pub(super) async fn positions(&self, pool: &PgPool) -> Result<Vec<i64>, sqlx::Error> {
        let mut positions = match &self.about {
            About::Document(id) => of_document(pool, *id).await?,
            About::User(id) => {
                let mut positions = of_user(pool, *id).await?;
                if may_have_acted_elsewhere(pool, *id).await? {
                    positions.extend(elsewhere(pool, *id).await?);
                }
                positions
            }
            About::Stream(id) => of_stream(pool, id).await?,
        };
        positions.sort_unstable();
        positions.dedup();
        Ok(positions)
    }

    /// The selected events among `positions`.
    pub(super) async fn read(&self, pool: &PgPool, positions: &[i64]) -> Result<Vec<RawEvent>, sqlx::Error> {
        sqlx::query_as!(
            RawEvent,
            r#"SELECT position, event_id, owner_id, aggregate_type, aggregate_id, sequence, event_type, event_version,
                      payload::text AS "payload!", metadata::text AS "metadata!", recorded_at, leaf_hash
               FROM events
               WHERE position = ANY($1) AND recorded_at >= coalesce($2, '-infinity'::timestamptz)
                 AND recorded_at < coalesce($3, 'infinity'::timestamptz)
               ORDER BY position"#,
            positions,
            self.from,
            self.to
        )
        .fetch_all(pool)
        .await
    }
}

/// Downloads are in the access streams of the document's owner, one for each month that the log spans.
async fn of_document(pool: &PgPool, id: Uuid) -> Result<Vec<i64>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"WITH changes AS (
               SELECT position, owner_id FROM events WHERE aggregate_type = 'document' AND aggregate_id = $1
           ), months AS (
               SELECT owner_id || ':' || to_char(month, 'YYYY-MM') AS stream
               FROM (SELECT owner_id FROM changes LIMIT 1) owner,
                    (SELECT recorded_at FROM events ORDER BY position LIMIT 1) oldest,
                    (SELECT recorded_at FROM events ORDER BY position DESC LIMIT 1) newest,
                    generate_series(oldest.recorded_at AT TIME ZONE 'UTC' - interval '1 month',
                                    newest.recorded_at AT TIME ZONE 'UTC' + interval '2 months', '1 month') month
           )
           SELECT position AS "position!" FROM changes
           UNION ALL
           SELECT e.position FROM months JOIN events e ON e.aggregate_type = 'access' AND e.aggregate_id = months.stream
           WHERE e.event_type = 'DocumentDownloaded' AND e.payload -> 'DocumentDownloaded' ->> 'document_id' = $1"#,
        id.to_string()
    )
    .fetch_all(pool)
    .await
}

/// The streams that bear the person's id, their access streams, and their documents: each of these once shared an
/// append with the person's quota, when its bytes were reserved.
async fn of_user(pool: &PgPool, id: Uuid) -> Result<Vec<i64>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"WITH RECURSIVE types(name) AS (
               SELECT min(aggregate_type) FROM events
               UNION ALL
               SELECT (SELECT min(aggregate_type) FROM events WHERE aggregate_type > name) FROM types WHERE name IS NOT NULL
           ), settled AS (
               SELECT position, split_part(metadata ->> 'part', '/', 1)::bigint AS part,
                      split_part(metadata ->> 'part', '/', 2)::bigint AS parts
               FROM events WHERE aggregate_type = 'quota' AND aggregate_id = $1 AND metadata ->> 'part' IS NOT NULL
           ), streams(type, id) AS (
               SELECT name, $1 FROM types
               UNION
               SELECT 'access', $1 || ':' || to_char(month, 'YYYY-MM')
               FROM (SELECT recorded_at FROM events ORDER BY position LIMIT 1) oldest,
                    (SELECT recorded_at FROM events ORDER BY position DESC LIMIT 1) newest,
                    generate_series(oldest.recorded_at AT TIME ZONE 'UTC' - interval '1 month',
                                    newest.recorded_at AT TIME ZONE 'UTC' + interval '2 months', '1 month') month
               UNION
               SELECT e.aggregate_type, e.aggregate_id FROM settled s
               JOIN events e ON e.position BETWEEN s.position - s.part + 1 AND s.position - s.part + s.parts
               WHERE e.aggregate_type = 'document'
           )
           SELECT e.position FROM streams s JOIN events e ON e.aggregate_type = s.type AND e.aggregate_id = s.id"#,
        id.to_string()
    )
    .fetch_all(pool)
    .await
}

/// A plain user acts in their own vault only. Whoever ever had another role may have acted anywhere.
async fn may_have_acted_elsewhere(pool: &PgPool, id: Uuid) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM events WHERE aggregate_type = 'user' AND aggregate_id = $1
               AND payload::text LIKE '%"role":%' AND payload::text NOT LIKE '%"role":"user"%') AS "exists!""#,
        id.to_string()
    )
    .fetch_one(pool)
    .await
}

/// Only the whole log can tell.
async fn elsewhere(pool: &PgPool, id: Uuid) -> Result<Vec<i64>, sqlx::Error> {
    sqlx::query_scalar!(
        "SELECT position FROM events WHERE metadata ->> 'actor' = 'user:' || $1::text AND owner_id <> $2",
        id.to_string(),
        id
    )
    .fetch_all(pool)
    .await
}

async fn of_stream(pool: &PgPool, id: &str) -> Result<Vec<i64>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"WITH RECURSIVE types(name) AS (
               SELECT min(aggregate_type) FROM events
               UNION ALL
               SELECT (SELECT min(aggregate_type) FROM events WHERE aggregate_type > name) FROM types WHERE name IS NOT NULL
           )
           SELECT e.position FROM types JOIN events e ON e.aggregate_type = types.name AND e.aggregate_id = $1"#,
        id
    )
    .fetch_all(pool)
    .await
}
