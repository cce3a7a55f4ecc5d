//! The texts of documents: personal, and gone with the document.

use aggregates::{DocumentId, UploadId, UserId};
use chrono::{DateTime, Utc};
use event_store::EventStore;

use crate::inspection::Text;

/// Keeps the text of an upload. The first one stays: others are of the same bytes.
pub async fn store(
    store: &EventStore,
    owner: UserId,
    document: DocumentId,
    upload: UploadId,
    text: &Text,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "INSERT INTO document_texts (document_id, upload_id, owner_id, language, text, stored_at)
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
        document.0,
        upload.0,
        owner.0,
        text.language,
        text.text,
        store.clock().now()
    )
    .execute(store.pool())
    .await?;
    Ok(())
}

/// Removes all texts of `document`.
pub async fn remove(store: &EventStore, document: DocumentId) -> Result<(), sqlx::Error> {
    sqlx::query!("DELETE FROM document_texts WHERE document_id = $1", document.0)
        .execute(store.pool())
        .await?;
    Ok(())
}

/// Documents that the listing does not know, and that have texts from before `stored_before`.
pub async fn unlisted(
    store: &EventStore,
    stored_before: DateTime<Utc>,
) -> Result<Vec<DocumentId>, sqlx::Error> {
    let rows = sqlx::query_scalar!(
        "SELECT DISTINCT document_id FROM document_texts WHERE stored_at < $1
         AND NOT EXISTS (SELECT FROM document_listing WHERE document_listing.document_id = document_texts.document_id)",
        stored_before
    );
    Ok(rows.fetch_all(store.pool()).await?.into_iter().map(DocumentId).collect())
}
