//! How a list is sorted, and where its next page begins.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::DocumentRow;

/// What a list goes by, and in which direction; ties go by document id in the same direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Sort {
    pub key: SortKey,
    pub descending: bool,
}

/// What a list can go by. Names without regard to case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SortKey {
    Name,
    CreatedAt,
    UpdatedAt,
    Size,
}

/// A `?sort=` that does not exist.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a sort: use name, created_at, updated_at or size, with a `-` in front for descending order"
)]
pub struct SortError(String);

/// The last document of a page: the next page begins after it. Opaque to clients, and good for one sort only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    sort: Sort,
    pub(super) key: Key,
    pub(super) document_id: Uuid,
}

/// The value that the list is sorted by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Key {
    Name(String),
    Time(DateTime<Utc>),
    Size(i64),
}

/// Why a cursor is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CursorError {
    #[error("this cursor was not made by this server")]
    Malformed,
    #[error("this cursor belongs to a list with another sort")]
    OtherSort,
}

impl Cursor {
    /// Reads a client's cursor for a list sorted by `sort`.
    pub fn parse(text: &str, sort: Sort) -> Result<Self, CursorError> {
        let json = BASE64.decode(text).map_err(|_| CursorError::Malformed)?;
        let cursor: Self = serde_json::from_slice(&json).map_err(|_| CursorError::Malformed)?;
        if cursor.sort != sort {
            return Err(CursorError::OtherSort);
        }
        match (sort.key, &cursor.key) {
            (SortKey::Name, Key::Name(name)) if name.contains('\0') => Err(CursorError::Malformed),
            (SortKey::Name, Key::Name(_))
            | (SortKey::CreatedAt | SortKey::UpdatedAt, Key::Time(_))
            | (SortKey::Size, Key::Size(_)) => Ok(cursor),
            _ => Err(CursorError::Malformed),
        }
    }

    /// What a client is given: base64url.
    pub fn to_text(&self) -> Result<String, serde_json::Error> {
        Ok(BASE64.encode(serde_json::to_vec(self)?))
    }

    pub(super) fn at(row: &DocumentRow, sort: Sort) -> Self {
        let key = match sort.key {
            SortKey::Name => Key::Name(row.sort_name.clone()),
            SortKey::CreatedAt => Key::Time(row.created_at),
            SortKey::UpdatedAt => Key::Time(row.updated_at),
            SortKey::Size => Key::Size(row.size),
        };
        Self { sort, key, document_id: row.document_id }
    }

    /// Before the first document: below all that can be stored, or above it when `sort` descends.
    pub(super) fn start(sort: Sort) -> Self {
        let down = sort.descending;
        let key = match sort.key {
            // Longer than any name, of the highest character.
            SortKey::Name if down => Key::Name("\u{10FFFF}".repeat(256)),
            SortKey::Name => Key::Name(String::new()),
            SortKey::CreatedAt | SortKey::UpdatedAt if down => Key::Time(DateTime::<Utc>::MAX_UTC),
            SortKey::CreatedAt | SortKey::UpdatedAt => Key::Time(DateTime::<Utc>::UNIX_EPOCH),
            SortKey::Size => Key::Size(if down { i64::MAX } else { -1 }),
        };
        Self { sort, key, document_id: Uuid::nil() }
    }
}

impl std::str::FromStr for Sort {
    type Err = SortError;

    fn from_str(text: &str) -> Result<Self, SortError> {
        let (descending, name) = text.strip_prefix('-').map_or((false, text), |name| (true, name));
        let key = match name {
            "name" => SortKey::Name,
            "created_at" => SortKey::CreatedAt,
            "updated_at" => SortKey::UpdatedAt,
            "size" => SortKey::Size,
            _ => return Err(SortError(text.into())),
        };
        Ok(Self { key, descending })
    }
}

impl std::fmt::Display for Sort {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.descending { "-" } else { "" })?;
        f.write_str(match self.key {
            SortKey::Name => "name",
            SortKey::CreatedAt => "created_at",
            SortKey::UpdatedAt => "updated_at",
            SortKey::Size => "size",
        })
    }
}

/// Newest first.
impl Default for Sort {
    fn default() -> Self {
        Self { key: SortKey::CreatedAt, descending: true }
    }
}

impl From<Sort> for String {
    fn from(sort: Sort) -> Self {
        sort.to_string()
    }
}

impl TryFrom<String> for Sort {
    type Error = SortError;

    fn try_from(text: String) -> Result<Self, SortError> {
        text.parse()
    }
}
