//! What is asked of the search.

use std::collections::HashMap;

use aggregates::UserId;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use super::snippet::Terms;
use super::{Hit, RankCursor, SearchRow, Words};
use crate::document_listing::{self, Cursor, DocumentRow, ListQuery, Shelf, Sort};

/// Characters of a text that are searched: about 400 pages.
const SEARCHED: i32 = 1_000_000;
/// Characters of a text in which a place to show is looked for first: without reading all of a long one.
const SHOWN_FROM: i32 = 30_000;

/// A search that a person asks for.
#[derive(Clone, Debug)]
pub struct SearchQuery {
    pub owner: UserId,
    pub shelf: Shelf,
    pub words: Words,
    pub order: Order,
    /// Rows on a page.
    pub limit: u16,
}

/// What the results go by, and where the page begins.
#[derive(Clone, Debug)]
pub enum Order {
    /// The best first; among equals the newest.
    Rank(Option<RankCursor>),
    Sorted(Sort, Option<Cursor>),
}

/// One page of results.
#[derive(Clone, Debug)]
pub struct FoundPage {
    pub hits: Vec<Hit>,
    /// Where the next page begins; `None`: this was the last one.
    pub next: Option<String>,
}

/// The text of a document, as far as it is searched.
pub(super) struct SearchedText {
    pub(super) language: String,
    pub(super) beginning: String,
}

/// One page of the documents of `query.owner` that hold all of its words.
pub async fn search(pool: &PgPool, query: &SearchQuery) -> anyhow::Result<FoundPage> {
    let tsquery = prepare(pool, query).await?;
    let (rows, next) = match &query.order {
        Order::Rank(after) => by_rank(pool, query, &tsquery, *after).await?,
        Order::Sorted(sort, after) => {
            let list = ListQuery {
                owner: query.owner,
                shelf: query.shelf,
                sort: *sort,
                matching: Some(tsquery.clone()),
                after: after.clone(),
                limit: query.limit,
            };
            let page = document_listing::list(pool, &list).await?;
            (page.rows, page.next.map(|cursor| cursor.to_text()).transpose()?)
        }
    };
    let stems = lexemes(&tsquery);
    let terms = Terms { words: &query.words.0, stems: &stems };
    Ok(FoundPage { hits: show(pool, rows, &terms).await?, next })
}

/// What the words of a query are in the languages of its owner: a `tsquery`.
async fn prepare(pool: &PgPool, query: &SearchQuery) -> Result<String, sqlx::Error> {
    // The languages of the owner, each found by one step in the index.
    let tsquery = sqlx::query_scalar!(
        r#"WITH RECURSIVE serving AS (
               SELECT generation FROM serving_projections WHERE name = 'document_search'
           ), languages AS (
               (SELECT configuration FROM document_search
                WHERE generation = (TABLE serving) AND owner_id = $1 ORDER BY configuration LIMIT 1)
               UNION ALL
               SELECT (SELECT next.configuration FROM document_search next
                       WHERE next.generation = (TABLE serving) AND next.owner_id = $1
                         AND next.configuration > languages.configuration
                       ORDER BY next.configuration LIMIT 1)
               FROM languages WHERE languages.configuration IS NOT NULL
           )
           SELECT search_query($2, ARRAY(SELECT configuration FROM languages WHERE configuration <> 'simple'))::text
               AS "tsquery!""#,
        query.owner.0,
        &query.words.0
    )
    .fetch_one(pool)
    .await?;
    Ok(tsquery)
}

async fn by_rank(
    pool: &PgPool,
    query: &SearchQuery,
    tsquery: &str,
    after: Option<RankCursor>,
) -> anyhow::Result<(Vec<DocumentRow>, Option<String>)> {
    let (rank, document_id) =
        after.map_or((f32::INFINITY, Uuid::nil()), |after| (after.rank, after.document_id));
    let mut found = sqlx::query!(
        r#"SELECT document_id AS "document_id!", rank AS "rank!", is_coarse AS "coarse!"
           FROM search_matches($1, $2, $3::text::tsquery, $6)
           WHERE (rank, document_id) < ($4, $5) ORDER BY rank DESC, document_id DESC LIMIT $7"#,
        query.owner.0,
        query.shelf.as_str(),
        tsquery,
        rank,
        document_id,
        after.map(|after| after.coarse),
        i64::from(query.limit) + 1
    )
    .fetch_all(pool)
    .await?;
    let more = found.len() > usize::from(query.limit);
    found.truncate(usize::from(query.limit));
    let next = found.last().filter(|_| more).map(|last| RankCursor {
        rank: last.rank,
        document_id: last.document_id,
        coarse: last.coarse,
    });
    let ids: Vec<Uuid> = found.into_iter().map(|row| row.document_id).collect();
    let listed = document_listing::find_all(pool, query.owner, &ids).await?;
    let mut listed: HashMap<Uuid, DocumentRow> =
        listed.into_iter().map(|row| (row.document_id, row)).collect();
    // The listing may be ahead, and not know what has just been purged.
    let rows = ids.iter().filter_map(|id| listed.remove(id)).collect();
    Ok((rows, next.map(|cursor| cursor.to_text()).transpose()?))
}

/// The words that the query came to, its stems among them. They hold no quotes.
fn lexemes(tsquery: &str) -> Vec<String> {
    tsquery.split('\'').skip(1).step_by(2).map(str::to_owned).collect()
}

async fn show(pool: &PgPool, rows: Vec<DocumentRow>, terms: &Terms<'_>) -> Result<Vec<Hit>, sqlx::Error> {
    let uploads: Vec<Uuid> = rows.iter().map(|row| row.upload_id).collect();
    let ids: Vec<Uuid> = rows.iter().map(|row| row.document_id).collect();
    let texts = sqlx::query!(
        r#"SELECT document_id, left(text, $3) AS "beginning!", length(text) > $3 AS "longer!" FROM document_texts
           WHERE (document_id, upload_id) IN (SELECT * FROM unnest($1::uuid[], $2::uuid[]))"#,
        &ids,
        &uploads,
        SHOWN_FROM
    )
    .fetch_all(pool)
    .await?;
    let mut texts: HashMap<Uuid, (String, bool)> =
        texts.into_iter().map(|row| (row.document_id, (row.beginning, row.longer))).collect();
    let mut hits = Vec::with_capacity(rows.len());
    for row in rows {
        let text = texts.remove(&row.document_id);
        let place = match &text {
            Some((beginning, longer)) => match terms.find_in(beginning) {
                None if *longer => terms.find_in(&whole_text(pool, &row).await?),
                found => found,
            },
            None => None,
        };
        let snippet = place.or_else(|| terms.find_in(&row.name)).unwrap_or_else(|| {
            terms.begin(text.as_ref().map_or(row.name.as_str(), |(beginning, _)| beginning.as_str()))
        });
        hits.push(Hit { row, snippet });
    }
    Ok(hits)
}

async fn whole_text(pool: &PgPool, row: &DocumentRow) -> Result<String, sqlx::Error> {
    let text = sqlx::query_scalar!(
        r#"SELECT left(text, $3) AS "text!" FROM document_texts WHERE document_id = $1 AND upload_id = $2"#,
        row.document_id,
        row.upload_id,
        SEARCHED
    );
    Ok(text.fetch_optional(pool).await?.unwrap_or_default())
}

/// The rows of `documents`.
pub(super) async fn load(
    connection: &mut PgConnection,
    generation: i64,
    documents: &[Uuid],
) -> Result<Vec<SearchRow>, sqlx::Error> {
    sqlx::query_as!(
        SearchRow,
        "SELECT document_id, owner_id, shelf, name, upload_id FROM document_search
         WHERE generation = $1 AND document_id = ANY($2)",
        generation,
        documents
    )
    .fetch_all(connection)
    .await
}

/// The texts of `rows`, by document.
pub(super) async fn load_texts(
    connection: &mut PgConnection,
    rows: &[SearchRow],
) -> Result<HashMap<Uuid, SearchedText>, sqlx::Error> {
    let (ids, uploads): (Vec<Uuid>, Vec<Uuid>) =
        rows.iter().filter_map(|row| Some((row.document_id, row.upload_id?))).unzip();
    let texts = sqlx::query!(
        r#"SELECT document_id, language, left(text, $3) AS "beginning!" FROM document_texts
           WHERE (document_id, upload_id) IN (SELECT * FROM unnest($1::uuid[], $2::uuid[]))"#,
        &ids,
        &uploads,
        SEARCHED
    )
    .fetch_all(connection)
    .await?;
    let text = |row| {
        let (document_id, language, beginning) = row;
        (document_id, SearchedText { language, beginning })
    };
    Ok(texts.into_iter().map(|row| text((row.document_id, row.language, row.beginning))).collect())
}
