//! `GET /documents?q=`.

use projections::document_listing::{Cursor, ListQuery};
use projections::document_search::{self, FoundPage, Order, RankCursor, SearchQuery, Words};

use crate::app::App;
use crate::error::ApiError;

/// A page of the documents of `list` that hold all words of `q`: the best first, unless `sorted`. `cursor` is of the
/// same search.
pub(super) async fn search(
    app: &App,
    q: &str,
    list: ListQuery,
    sorted: bool,
    cursor: Option<&str>,
) -> Result<FoundPage, ApiError> {
    let words: Words = q.parse().map_err(|error| ApiError::field("q", "invalid", format!("{error}")))?;
    let order = match cursor {
        Some(cursor) if sorted => {
            Cursor::parse(cursor, list.sort).map(|after| Order::Sorted(list.sort, Some(after)))
        }
        None if sorted => Ok(Order::Sorted(list.sort, None)),
        Some(cursor) => RankCursor::parse(cursor).map(|after| Order::Rank(Some(after))),
        None => Ok(Order::Rank(None)),
    };
    let order = order.map_err(|error| ApiError::field("cursor", "invalid", error.to_string()))?;
    let query = SearchQuery { owner: list.owner, shelf: list.shelf, words, order, limit: list.limit };
    Ok(document_search::search(app.store.pool(), &query).await?)
}
