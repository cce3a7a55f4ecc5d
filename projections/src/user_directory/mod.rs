//! Who has an account: what `GET /me` shows.

mod projection;
mod queries;
#[cfg(test)]
mod tests;

use chrono::{DateTime, Utc};
use uuid::Uuid;

pub use projection::UserDirectory;
pub use queries::{count, find};

/// One account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserRow {
    pub user_id: Uuid,
    pub email: String,
    pub display_name: Option<String>,
    /// `user`, `admin` or `auditor`.
    pub role: String,
    pub created_at: DateTime<Utc>,
    /// Of the last event that touched it.
    pub position: i64,
}
