use serde::{Deserialize, Serialize};

use super::DocumentError;

/// Where a document is in its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    #[default]
    Absent,
    /// Requested; the bytes are on their way.
    Pending,
    /// A multipart object is complete and being hashed.
    Verifying,
    Active,
    Trashed,
    /// The bytes were not what had been announced.
    Rejected,
    Cancelled,
    Expired,
    Purged,
}

impl Stage {
    /// The legal life cycle: may a document go from this stage to `next`?
    pub const fn may_become(self, next: Self) -> bool {
        matches!(
            (self, next),
            (Self::Absent, Self::Pending)
                | (
                    Self::Pending,
                    Self::Verifying | Self::Active | Self::Rejected | Self::Cancelled | Self::Expired
                )
                | (Self::Verifying, Self::Active | Self::Rejected)
                | (Self::Active, Self::Trashed | Self::Purged)
                | (Self::Trashed, Self::Active | Self::Purged)
                | (Self::Rejected, Self::Purged)
        )
    }

    /// Bytes in this stage are held by a reservation.
    pub const fn is_reserved(self) -> bool {
        matches!(self, Self::Pending | Self::Verifying)
    }

    /// Bytes in this stage count as used.
    pub const fn is_retained(self) -> bool {
        matches!(self, Self::Active | Self::Trashed)
    }

    /// The refusal for a document in a final stage.
    pub(super) const fn gone(self) -> DocumentError {
        match self {
            Self::Expired => DocumentError::Expired,
            Self::Cancelled => DocumentError::Cancelled,
            Self::Purged => DocumentError::Purged,
            Self::Rejected => DocumentError::Rejected,
            _ => DocumentError::NotFound,
        }
    }
}
