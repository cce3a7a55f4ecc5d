//! How much of their quota people use: what `GET /quota` shows.

mod projection;
mod queries;
#[cfg(test)]
mod tests;

use uuid::Uuid;

pub use projection::QuotaUsage;
pub use queries::find;

/// One person's quota; sizes in bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QuotaRow {
    pub user_id: Uuid,
    pub limit: i64,
    /// By active and trashed documents.
    pub used: i64,
    /// By uploads that are not settled.
    pub reserved: i64,
    /// Active and trashed ones.
    pub documents: i64,
    /// The part of `used` that lies in the trash.
    pub trashed_bytes: i64,
}

impl QuotaRow {
    /// What still fits; 0 when the limit was lowered below use.
    pub fn available(&self) -> i64 {
        (self.limit - self.used - self.reserved).max(0)
    }
}
