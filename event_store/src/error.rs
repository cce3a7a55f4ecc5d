use aggregates::{DecodeError, MetadataError};

use crate::seal::SealError;

/// The log could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the database failed: {0}")]
    Database(#[from] sqlx::Error),
    /// The outcome of an append stayed unknown: repeating the command with its idempotency key is safe.
    #[error("the database did not answer in time; the command may or may not have happened")]
    Unknown,
    #[error("position {position}: {source}")]
    Decode { position: i64, source: DecodeError },
    #[error("position {position}: {source}")]
    Metadata { position: i64, source: MetadataError },
    #[error("position {position}: {source}")]
    Open { position: i64, source: SealError },
    #[error(transparent)]
    Seal(#[from] SealError),
    #[error("an event cannot be written as JSON: {0}")]
    Encode(#[from] serde_json::Error),
    #[error("the store is shutting down")]
    Closed,
}

/// Why a command did not happen. `E` is the refusal of the caller's own decision.
#[derive(Debug, thiserror::Error)]
pub enum ExecuteError<E> {
    #[error(transparent)]
    Refused(E),
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Others kept changing the same streams first.
    #[error("too much contention on the same data")]
    Contention,
    /// Another process is handling, or has handled, a command with this idempotency key.
    #[error("this idempotency key is in use")]
    Duplicate,
    /// The side rows' own conditions did not hold: the statement found nothing to do.
    #[error("the precondition of the statement did not hold")]
    Precondition,
    #[error("the person's key is gone: the account was erased")]
    NoKey,
}
