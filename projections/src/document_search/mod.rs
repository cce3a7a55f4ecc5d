//! Search over the names and texts of documents. A row for each document that exists; its vector holds every word as it
//! is written and as the stemmer of the document's language sees it, names with the highest weight.
//!
//! Words are cut and freed of case and accents here and not in PostgreSQL, where that depends on the locale of the
//! database; so a query is treated as the texts were. The texts themselves are in `document_texts`, which the classifier
//! writes before it records an inspection, and which this fold empties with the purge, in the transaction of its rows.

mod cursor;
mod projection;
mod queries;
mod snippet;
mod stemmer;
#[cfg(test)]
mod tests;
mod words;

use uuid::Uuid;

use crate::document_listing::DocumentRow;

pub use cursor::RankCursor;
pub use projection::DocumentSearch;
pub use queries::{FoundPage, Order, SearchQuery, search};
pub use words::{Words, WordsError};

/// A document as search knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct SearchRow {
    document_id: Uuid,
    owner_id: Uuid,
    /// As in the listing.
    shelf: String,
    name: String,
    /// Whose text is searched.
    upload_id: Option<Uuid>,
}

/// A document that was found, and where in it: HTML in which nothing but `<mark>` is markup.
#[derive(Clone, Debug)]
pub struct Hit {
    pub row: DocumentRow,
    pub snippet: String,
}
