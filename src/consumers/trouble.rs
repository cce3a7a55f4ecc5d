//! Why an event is not handled now, and what follows from it.

use event_store::{ExecuteError, StoreError};

use crate::blobs::BlobError;
use crate::error::ApiError;

const PASSING: [&str; 5] = ["08", "40", "53", "57", "58"];
const STATEMENT_TIMED_OUT: &str = "57014";

/// What a consumer answers when it could not handle an event.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// It is about this event: one of its tries.
    #[error("{0:#}")]
    Failed(anyhow::Error),
    /// It is about no event in particular, and passes: the database or the object store is away. It is waited for, and
    /// costs no try.
    #[error("{0:#}")]
    Unavailable(anyhow::Error),
}

/// What is known to pass is told by its type, wherever in the chain it is; everything else is a failure.
impl From<anyhow::Error> for Trouble {
    fn from(error: anyhow::Error) -> Self {
        if error.chain().any(passes) { Self::Unavailable(error) } else { Self::Failed(error) }
    }
}

fn passes(error: &(dyn std::error::Error + 'static)) -> bool {
    if let Some(error) = error.downcast_ref() {
        return matches!(error, BlobError::Unavailable(_) | BlobError::Local(_));
    }
    if let Some(error) = error.downcast_ref() {
        return is_away(error);
    }
    if let Some(error) = error.downcast_ref() {
        return store_is_away(error);
    }
    match error.downcast_ref() {
        Some(ExecuteError::Refused(ApiError::Unavailable(_)) | ExecuteError::Contention) => true,
        Some(ExecuteError::Store(error)) => store_is_away(error),
        _ => false,
    }
}

fn store_is_away(error: &StoreError) -> bool {
    match error {
        StoreError::Database(error) => is_away(error),
        StoreError::Unknown | StoreError::Closed => true,
        _ => false,
    }
}

/// The server, not the statement: connections (08), rollbacks (40), resources (53), intervention (57), the system (58).
fn is_away(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(error) => error.code().is_some_and(|code| {
            code != STATEMENT_TIMED_OUT && PASSING.iter().any(|class| code.starts_with(class))
        }),
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => true,
        _ => false,
    }
}
