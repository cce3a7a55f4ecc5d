//! Who has an account: what `GET /me` and the administration of people show.

mod projection;
mod queries;
#[cfg(test)]
mod tests;

use chrono::{DateTime, Utc};
use uuid::Uuid;

pub use projection::UserDirectory;
pub use queries::{PeoplePage, PeopleQuery, PersonRow, count, find, find_person, list};

/// One account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserRow {
    pub user_id: Uuid,
    pub email: String,
    /// A link that went there came back.
    pub email_verified: bool,
    pub display_name: Option<String>,
    /// As in [`aggregates::Preferences`].
    pub language: Option<String>,
    pub time_zone: Option<String>,
    /// `user`, `admin` or `auditor`.
    pub role: String,
    pub is_active: bool,
    pub totp_enabled: bool,
    pub created_at: DateTime<Utc>,
    /// Of the last event that touched it.
    pub position: i64,
}
