//! The one place where refusals of the domain and failures of the store become answers to a client.

use aggregates::{DocumentError, QuotaError, UserError};
use cqrs_es::Aggregate;
use event_store::{ExecuteError, IdempotencyError, StoreError, UnitError};

use super::ApiError;
use crate::auth::password::{HashError, PasswordError};

impl From<DocumentError> for ApiError {
    fn from(error: DocumentError) -> Self {
        match error {
            DocumentError::NotFound => Self::NotFound,
            DocumentError::Rejected => Self::UploadMismatch(error.to_string()),
            DocumentError::Cancelled | DocumentError::Expired | DocumentError::Purged => {
                Self::Gone(error.to_string())
            }
            DocumentError::AlreadyRequested
            | DocumentError::NotUploaded
            | DocumentError::UnknownUpload
            | DocumentError::AlreadyUploaded
            | DocumentError::NotVerified
            | DocumentError::NothingToVerify
            | DocumentError::NotExpired => Self::Conflict(error.to_string()),
        }
    }
}

impl From<QuotaError> for ApiError {
    fn from(error: QuotaError) -> Self {
        match error {
            QuotaError::Exceeded { limit, used, reserved, requested } => {
                Self::QuotaExceeded { limit, used, reserved, requested }
            }
            QuotaError::AlreadyOpen => Self::Conflict(error.to_string()),
            QuotaError::NotOpen | QuotaError::FreesMoreThanUsed { .. } => Self::Internal(error.into()),
        }
    }
}

impl From<UserError> for ApiError {
    fn from(error: UserError) -> Self {
        match error {
            UserError::NotRegistered => Self::NotFound,
            UserError::Deactivated => Self::Unauthenticated,
            UserError::NoEmailRequested => Self::InvalidToken,
            UserError::AlreadyRegistered
            | UserError::TotpAlreadyEnabled
            | UserError::TotpNotEnrolled
            | UserError::TotpNotEnabled => Self::Conflict(error.to_string()),
        }
    }
}

impl From<ExecuteError<Self>> for ApiError {
    fn from(error: ExecuteError<Self>) -> Self {
        match error {
            ExecuteError::Refused(refusal) => refusal,
            ExecuteError::Store(error) => error.into(),
            ExecuteError::Contention => Self::Unavailable(error.to_string()),
            ExecuteError::Duplicate | ExecuteError::Precondition => Self::Conflict(error.to_string()),
            ExecuteError::NoKey => Self::NotFound,
        }
    }
}

impl From<IdempotencyError> for ApiError {
    fn from(error: IdempotencyError) -> Self {
        match error {
            IdempotencyError::InFlight => Self::Conflict(error.to_string()),
            IdempotencyError::BodyDiffers => {
                Self::field("Idempotency-Key", "invalid", "This key was used with another body.")
            }
            IdempotencyError::Store(error) => error.into(),
        }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Database(error) => error.into(),
            StoreError::Unknown | StoreError::Closed => Self::Unavailable(error.to_string()),
            StoreError::Decode { .. }
            | StoreError::Metadata { .. }
            | StoreError::Open { .. }
            | StoreError::Seal(_)
            | StoreError::Encode(_) => Self::Internal(error.into()),
        }
    }
}

impl From<HashError> for ApiError {
    fn from(error: HashError) -> Self {
        match error {
            HashError::Busy => Self::Unavailable(error.to_string()),
            HashError::Argon2(_) | HashError::Randomness | HashError::Ended => Self::Internal(error.into()),
        }
    }
}

impl PasswordError {
    /// The answer to a `field` that holds no acceptable password.
    pub fn of_field(self, field: &str) -> ApiError {
        let code = match self {
            Self::TooShort => "too_short",
            Self::TooLong => "too_long",
        };
        ApiError::field(field, code, self.to_string())
    }
}

/// A database that is down, full or overloaded is not a bug: trying again helps.
impl From<sqlx::Error> for ApiError {
    fn from(error: sqlx::Error) -> Self {
        let passing = match &error {
            sqlx::Error::Database(refusal) => refusal.code().is_some_and(|code| is_passing(&code)),
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed => true,
            _ => false,
        };
        if passing { Self::Unavailable(error.to_string()) } else { Self::Internal(error.into()) }
    }
}

/// SQLSTATE classes: 08 connection, 40 rolled back, 53 resources, 57 operator, 58 the machine.
fn is_passing(code: &str) -> bool {
    ["08", "40", "53", "57", "58"].iter().any(|class| code.starts_with(class))
}

impl<A> From<UnitError<A>> for ApiError
where
    A: Aggregate,
    A::Error: Into<Self>,
{
    fn from(error: UnitError<A>) -> Self {
        match error {
            UnitError::Refused(refusal) => refusal.into(),
            UnitError::Store(error) => error.into(),
        }
    }
}
