//! Every document that exists, as its owner lists and opens it; also what processes look for: deadlines, uploads to
//! verify, keys in use. Cancelled, expired and purged documents have left.

mod cursor;
mod projection;
mod queries;
#[cfg(test)]
mod tests;

use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

pub use cursor::{Cursor, CursorError, Sort, SortError, SortKey};
pub use projection::DocumentListing;
pub use queries::{ListQuery, OpenUploads, Page, expired_uploads, find, find_all, known_derived_keys, known_keys, list, open_uploads, verifying};

/// A document that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentRow {
    pub document_id: Uuid,
    pub owner_id: Uuid,
    pub name: String,
    /// The name in lower case: what `sort=name` goes by.
    pub sort_name: String,
    pub content_type: String,
    /// Bytes.
    pub size: i64,
    /// Hex.
    pub sha256: String,
    pub folder_id: Option<Uuid>,
    pub status: Status,
    pub version: i32,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    pub uploaded_at: Option<DateTime<Utc>>,
    pub upload_id: Uuid,
    /// The final key of its bytes.
    pub object_key: String,
    /// What its bytes are, once somebody has looked.
    pub sniffed_type: Option<String>,
    /// The key of its extracted text.
    pub derived_key: Option<String>,
    /// When a pending upload is given up.
    pub expires_at: DateTime<Utc>,
    /// Of the last event that touched it.
    pub position: i64,
    /// How often people see it changed: the entity tag.
    pub revision: i64,
}

/// Where a listed document stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Status {
    Pending,
    Verifying,
    Active,
    Rejected,
    Trashed,
}

/// Where a document is looked for (`?status=`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shelf {
    #[default]
    Active,
    Trashed,
    /// Pending, verifying and rejected uploads.
    Pending,
}

impl Status {
    /// As stored and as in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Verifying => "verifying",
            Self::Active => "active",
            Self::Rejected => "rejected",
            Self::Trashed => "trashed",
        }
    }
}

impl Shelf {
    /// As stored and as in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Trashed => "trashed",
            Self::Pending => "pending",
        }
    }
}

impl std::str::FromStr for Shelf {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "active" => Ok(Self::Active),
            "trashed" => Ok(Self::Trashed),
            "pending" => Ok(Self::Pending),
            other => Err(format!("`{other}` is not a status to list: use active, trashed or pending")),
        }
    }
}
