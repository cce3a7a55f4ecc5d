//! What is asked of the audit trail.

use chrono::{DateTime, Utc};
use sqlx::PgPool;
use uuid::Uuid;

use super::AuditRow;

/// Which events, by all of what is given.
#[derive(Clone, Debug, Default)]
pub struct AuditQuery {
    /// As in [`AuditRow::actor`].
    pub actor: Option<String>,
    pub r#type: Option<String>,
    pub document_id: Option<Uuid>,
    /// `from` ≤ at < `to`.
    pub from: Option<DateTime<Utc>>,
    pub to: Option<DateTime<Utc>>,
    /// The position before which the page begins; none: the newest.
    pub before: Option<i64>,
    /// Rows on a page.
    pub limit: u16,
}

/// One page of the audit trail.
#[derive(Clone, Debug)]
pub struct AuditPage {
    pub rows: Vec<AuditRow>,
    /// The position before which the next page begins; `None`: this was the last one.
    pub next: Option<i64>,
}

/// One page, the newest first.
pub async fn list(pool: &PgPool, query: &AuditQuery) -> Result<AuditPage, sqlx::Error> {
    let mut tx = pool.begin().await?;
    // One plan for whatever is given would use no index but the one of positions.
    sqlx::query!("SELECT set_config('plan_cache_mode', 'force_custom_plan', true)")
        .fetch_one(&mut *tx)
        .await?;
    // Times never go back along the log: the span of time becomes one of positions, which every index ends with.
    let mut rows = sqlx::query_as!(
        AuditRow,
        r#"WITH serving AS MATERIALIZED (SELECT generation FROM serving_projections WHERE name = 'audit_trail'),
                span AS MATERIALIZED (
                    SELECT CASE WHEN $4::timestamptz IS NULL THEN 0 ELSE coalesce(
                               (SELECT position FROM audit_trail
                                WHERE generation = (SELECT generation FROM serving) AND at >= $4
                                ORDER BY at, position LIMIT 1), 9223372036854775807) END AS first,
                           CASE WHEN $5::timestamptz IS NULL THEN 9223372036854775807 ELSE coalesce(
                               (SELECT position FROM audit_trail
                                WHERE generation = (SELECT generation FROM serving) AND at < $5
                                ORDER BY at DESC, position DESC LIMIT 1), 0) END AS last)
           SELECT position, event_id, at, actor, type, subject, ip, details FROM audit_trail
           WHERE generation = (SELECT generation FROM serving)
             AND ($1::text IS NULL OR actor = $1)
             AND ($2::text IS NULL OR type = $2)
             AND ($3::uuid IS NULL OR document_id = $3)
             AND position BETWEEN (SELECT first FROM span) AND (SELECT last FROM span)
             AND position < $6
           ORDER BY position DESC LIMIT $7"#,
        query.actor,
        query.r#type,
        query.document_id,
        query.from,
        query.to,
        query.before.unwrap_or(i64::MAX),
        i64::from(query.limit) + 1
    )
    .fetch_all(&mut *tx)
    .await?;
    tx.commit().await?;
    let more = rows.len() > usize::from(query.limit);
    rows.truncate(usize::from(query.limit));
    let next = rows.last().filter(|_| more).map(|row| row.position);
    Ok(AuditPage { rows, next })
}
