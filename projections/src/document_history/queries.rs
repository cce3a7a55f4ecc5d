//! What is asked of the history.

use aggregates::{DocumentId, UserId};
use sqlx::PgPool;

use super::HistoryRow;

/// One page of a document's history.
#[derive(Clone, Debug)]
pub struct HistoryPage {
    pub rows: Vec<HistoryRow>,
    /// The position before which the next page begins; `None`: this was the last one.
    pub next: Option<i64>,
}

/// The changes of `document` before position `before` (from the end, if not given), the newest first. Nothing when
/// it is not `owner`'s.
pub async fn list(
    pool: &PgPool,
    owner: UserId,
    document: DocumentId,
    before: Option<i64>,
    limit: u16,
) -> Result<HistoryPage, sqlx::Error> {
    let mut rows = sqlx::query_as!(
        HistoryRow,
        "SELECT position, at, actor, type, changes FROM document_history
         WHERE generation = (SELECT generation FROM serving_projections WHERE name = 'document_history')
           AND document_id = $1 AND owner_id = $2 AND position < $3 ORDER BY position DESC LIMIT $4",
        document.0,
        owner.0,
        before.unwrap_or(i64::MAX),
        i64::from(limit) + 1
    )
    .fetch_all(pool)
    .await?;
    let more = rows.len() > usize::from(limit);
    rows.truncate(usize::from(limit));
    let next = rows.last().filter(|_| more).map(|row| row.position);
    Ok(HistoryPage { rows, next })
}
