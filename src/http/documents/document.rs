//! The document as the API shows it.

use std::sync::Arc;
use std::time::Duration;

use aggregates::{DocumentId, UserId};
use chrono::{DateTime, Utc};
use projections::document_listing::{self, DocumentRow, Status};
use projections::document_search::Hit;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::app::App;
use crate::error::ApiError;
use crate::http::done::Versioned;

/// How long an answer waits for the listing.
const AT_MOST: Duration = Duration::from_secs(2);

/// A document.
#[derive(Debug, Serialize, ToSchema)]
#[expect(clippy::struct_field_names, reason = "the contract names the fields")]
pub struct Document {
    document_id: Uuid,
    owner_id: Uuid,
    name: String,
    content_type: String,
    /// Bytes.
    size: i64,
    /// Hex.
    sha256: String,
    folder_id: Option<Uuid>,
    /// `pending`, `verifying`, `active`, `rejected` or `trashed`
    status: &'static str,
    topics: Vec<Topic>,
    version: i32,
    shared: bool,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    uploaded_at: Option<DateTime<Utc>>,
    /// Of a search: where it was found, as HTML in which nothing but `<mark>` is markup
    #[serde(skip_serializing_if = "Option::is_none")]
    snippet: Option<String>,
}

/// A topic of a document.
#[derive(Debug, Serialize, ToSchema)]
pub struct Topic {
    topic_id: Uuid,
    name: String,
}

impl From<DocumentRow> for Document {
    fn from(row: DocumentRow) -> Self {
        Self {
            document_id: row.document_id,
            owner_id: row.owner_id,
            name: row.name,
            content_type: row.content_type,
            size: row.size,
            sha256: row.sha256,
            folder_id: row.folder_id,
            status: row.status.as_str(),
            topics: Vec::new(),
            version: row.version,
            shared: false,
            created_at: row.created_at,
            updated_at: row.updated_at,
            uploaded_at: row.uploaded_at,
            snippet: None,
        }
    }
}

impl From<Hit> for Document {
    fn from(Hit { row, snippet }: Hit) -> Self {
        Self { snippet: Some(snippet), ..row.into() }
    }
}

/// A document of `owner`, in the version that its entity tag names.
pub(super) async fn find(
    app: &App,
    owner: UserId,
    id: DocumentId,
) -> Result<(Status, Versioned<Document>), ApiError> {
    let row = document_listing::find(app.store.pool(), owner, id).await?.ok_or(ApiError::NotFound)?;
    Ok((row.status, Versioned(row.revision.to_string(), row.into())))
}

/// What the listing shows after a command, and which read models were still behind when it was asked.
pub(super) struct Shown {
    pub(super) status: Status,
    pub(super) document: Versioned<Document>,
    pub(super) stale: Vec<&'static str>,
}

/// As [`find`], after a command that appended up to `position`, or found that everything was already so.
pub(super) async fn find_after(
    app: &Arc<App>,
    owner: UserId,
    id: DocumentId,
    position: Option<i64>,
) -> Result<Shown, ApiError> {
    let position = match position {
        Some(position) => position,
        None => app.store.head().await?,
    };
    let stale = app.freshness.wait(position, AT_MOST).await;
    match find(app, owner, id).await {
        Ok((status, document)) => Ok(Shown { status, document, stale }),
        Err(ApiError::NotFound) => Err(ApiError::Unavailable("the listing is behind the log".into())),
        Err(error) => Err(error),
    }
}
