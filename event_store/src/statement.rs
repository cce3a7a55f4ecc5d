//! An append that travels in a statement of the caller's, with side rows, until its outcome is known.

use futures::future::BoxFuture;
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use crate::append::{Answer, Append};
use crate::execute::jitter;
use crate::lane::{UNKNOWN_FOR, is_definite};
use crate::{EventStore, StoreError};

/// Sends an append and its side rows as one statement that calls `append_or_fail` with the given JSON. `None`: the
/// statement's own precondition did not hold, and nothing was written.
pub(crate) type Statement =
    dyn Fn(Value) -> BoxFuture<'static, Result<Option<i64>, sqlx::Error>> + Send + Sync;

/// Sends `statement` again while its outcome is unknown. Once it was unknown, a refusal counts only if the log does not
/// hold the append: it may have been refused because it had already happened.
pub(crate) async fn send(
    store: &EventStore,
    append: &Append,
    statement: &Statement,
) -> Result<Answer, StoreError> {
    let give_up = Instant::now() + UNKNOWN_FOR;
    let first = append.events.first().map(|event| event.event_id);
    let mut unknown = false;
    for attempt in 1.. {
        let Ok(outcome) = timeout_at(give_up, statement(append.to_json())).await else { break };
        match answer(outcome) {
            Ok(Answer::Appended(position)) => return Ok(Answer::Appended(position)),
            Err(error) if !is_definite(&error) => {
                if !unknown {
                    tracing::warn!(%error, "the outcome of an append is unknown; asking again");
                }
                unknown = true;
            }
            refused if !unknown => return Ok(refused?),
            refused => match store.position_of(first).await {
                Ok(Some(position)) => return Ok(Answer::Appended(position)),
                Ok(None) => return Ok(refused?),
                Err(_) => {}
            },
        }
        if Instant::now() >= give_up {
            break;
        }
        tokio::time::sleep(jitter(attempt)).await;
    }
    Err(StoreError::Unknown)
}

/// What the statement says in the door's own terms.
fn answer(outcome: Result<Option<i64>, sqlx::Error>) -> Result<Answer, sqlx::Error> {
    match outcome {
        Ok(Some(position)) => Ok(Answer::Appended(position)),
        Ok(None) => Ok(Answer::Precondition),
        Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some("DV001") => Ok(Answer::Conflict),
        Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some("DV002") => Ok(Answer::NoKey),
        Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some("DV003") => {
            Ok(Answer::Duplicate)
        }
        Err(error) => Err(error),
    }
}
