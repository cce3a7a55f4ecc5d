//! What is asked of the listing.

use aggregates::{DocumentId, UserId};
use chrono::{DateTime, Utc};
use sqlx::PgPool;
use uuid::Uuid;

use super::cursor::Key;
use super::{Cursor, DocumentRow, Shelf, Sort, SortKey};

/// Rows of one generation of the listing for which a condition, made of literals only, holds; of the serving one, or of
/// the one that is the last argument.
macro_rules! rows {
    (serving [$($part:literal)+] $(, $argument:expr)* $(,)?) => {
        rows!(
            ["(SELECT generation FROM serving_projections WHERE name = 'document_listing') AND " $($part)+]
            $(, $argument)*
        )
    };
    ([$($part:literal)+] $(, $argument:expr)* $(,)?) => {
        sqlx::query_as!(
            crate::document_listing::DocumentRow,
            r#"SELECT document_id, owner_id, name, sort_name, content_type, size, sha256, folder_id,
                      status AS "status: _", version, created_at, updated_at, uploaded_at, upload_id, object_key,
                      expires_at, position, sniffed_type, derived_key, revision
               FROM document_listing WHERE generation = "# $(+ $part)+ $(, $argument)*
        )
    };
}

/// A list that a person asks for.
#[derive(Clone, Debug)]
pub struct ListQuery {
    pub owner: UserId,
    pub shelf: Shelf,
    pub sort: Sort,
    /// A `tsquery`: only documents that search finds with it.
    pub matching: Option<String>,
    /// Made for the same sort.
    pub after: Option<Cursor>,
    /// Rows on a page.
    pub limit: u16,
}

/// One page of a list.
#[derive(Clone, Debug)]
pub struct Page {
    pub rows: Vec<DocumentRow>,
    /// Where the next page begins; `None`: this was the last one.
    pub next: Option<Cursor>,
}

/// A document of `owner`.
pub async fn find(
    pool: &PgPool,
    owner: UserId,
    document: DocumentId,
) -> Result<Option<DocumentRow>, sqlx::Error> {
    rows!(serving["document_id = $1 AND owner_id = $2"], document.0, owner.0).fetch_optional(pool).await
}

/// One page. Each sort walks an index of its own from the cursor on.
pub async fn list(pool: &PgPool, query: &ListQuery) -> Result<Page, sqlx::Error> {
    let after = query.after.clone().unwrap_or_else(|| Cursor::start(query.sort));
    let limit = i64::from(query.limit) + 1;
    macro_rules! page {
        ($column:literal, $key:ident) => {
            if query.sort.descending {
                page!(["owner_id = $1 AND shelf = $2 AND (" $column ", document_id) < ($3, $4) AND ($6::text IS NULL OR document_id IN (
                            SELECT document_id FROM search_matches($1, $2, $6::text::tsquery, true)))
                        ORDER BY " $column " DESC, document_id DESC LIMIT $5"], $key)
            } else {
                page!(["owner_id = $1 AND shelf = $2 AND (" $column ", document_id) > ($3, $4) AND ($6::text IS NULL OR document_id IN (
                            SELECT document_id FROM search_matches($1, $2, $6::text::tsquery, true)))
                        ORDER BY " $column ", document_id LIMIT $5"], $key)
            }
        };
        ([$($part:literal)+], $key:ident) => {
            rows!(serving [$($part)+], query.owner.0, query.shelf.as_str(), $key, after.document_id, limit,
                query.matching.as_deref())
                .fetch_all(pool)
                .await?
        };
    }
    let mut rows = match (query.sort.key, &after.key) {
        (SortKey::Name, Key::Name(name)) => page!("sort_name", name),
        (SortKey::CreatedAt, Key::Time(time)) => page!("created_at", time),
        (SortKey::UpdatedAt, Key::Time(time)) => page!("updated_at", time),
        (SortKey::Size, Key::Size(size)) => page!("size", size),
        // A cursor is only ever made with the key of its sort.
        _ => Vec::new(),
    };
    let more = rows.len() > usize::from(query.limit);
    rows.truncate(usize::from(query.limit));
    let next = rows.last().filter(|_| more).map(|row| Cursor::at(row, query.sort));
    Ok(Page { rows, next })
}

/// Pending uploads whose deadline has passed, the most overdue first.
pub async fn expired_uploads(
    pool: &PgPool,
    now: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<DocumentRow>, sqlx::Error> {
    rows!(serving["status = 'pending' AND expires_at <= $1 ORDER BY expires_at LIMIT $2"], now, limit)
        .fetch_all(pool)
        .await
}

/// Uploads that wait to be hashed, the oldest first.
pub async fn verifying(pool: &PgPool, limit: i64) -> Result<Vec<DocumentRow>, sqlx::Error> {
    rows!(serving["status = 'verifying' ORDER BY position LIMIT $1"], limit).fetch_all(pool).await
}

/// Those of `keys` that belong to a listed document.
pub async fn known_keys(pool: &PgPool, keys: &[String]) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar!(
        "SELECT object_key FROM document_listing
         WHERE generation = (SELECT generation FROM serving_projections WHERE name = 'document_listing')
           AND object_key = ANY($1)",
        keys
    )
    .fetch_all(pool)
    .await
}

/// Those of `keys` that hold the text of one of `documents`.
pub async fn known_derived_keys(
    pool: &PgPool,
    documents: &[Uuid],
    keys: &[String],
) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT derived_key AS "key!" FROM document_listing
           WHERE generation = (SELECT generation FROM serving_projections WHERE name = 'document_listing')
             AND document_id = ANY($1) AND derived_key = ANY($2)"#,
        documents,
        keys
    )
    .fetch_all(pool)
    .await
}

/// Those of `documents` that are `owner`'s.
pub async fn find_all(
    pool: &PgPool,
    owner: UserId,
    documents: &[Uuid],
) -> Result<Vec<DocumentRow>, sqlx::Error> {
    rows!(serving["document_id = ANY($1) AND owner_id = $2"], documents, owner.0).fetch_all(pool).await
}

/// Uploads that hold space and are not settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenUploads {
    pub count: i64,
    /// Reserved for them.
    pub bytes: i64,
}

/// How many uploads are open, of everybody together.
pub async fn open_uploads(pool: &PgPool) -> Result<OpenUploads, sqlx::Error> {
    sqlx::query_as!(
        OpenUploads,
        r#"WITH serving AS (SELECT generation FROM serving_projections WHERE name = 'document_listing'),
                open AS (
                    SELECT size FROM document_listing
                    WHERE generation = (SELECT generation FROM serving) AND status = 'pending'
                    UNION ALL
                    SELECT size FROM document_listing
                    WHERE generation = (SELECT generation FROM serving) AND status = 'verifying')
           SELECT count(*) AS "count!", coalesce(sum(size), 0)::bigint AS "bytes!" FROM open"#
    )
    .fetch_one(pool)
    .await
}

/// The rows of `documents` in `generation`.
pub(super) async fn load(
    connection: &mut sqlx::PgConnection,
    generation: i64,
    documents: &[Uuid],
) -> Result<Vec<DocumentRow>, sqlx::Error> {
    rows!(["$1 AND document_id = ANY($2)"], generation, documents).fetch_all(connection).await
}
