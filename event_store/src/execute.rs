//! Load, decide, append over many streams, and again on conflict: the only caller of `Aggregate::handle`.
//!
//! Commands of one owner decide one after the other on the newest state, speculative if need be, and commit together:
//! a hot stream costs no conflicts within a process. Cached state may accept a command, never refuse it: before a
//! refusal or a no-op everything under way is waited for, and the state is loaded again.

use std::time::Duration;

use aggregates::{Metadata, UserId};
use futures::future::BoxFuture;
use metrics::counter;
use rand::RngExt;
use serde_json::Value;

use crate::append::{Answer, Append};
use crate::group_commit::{Enqueued, is_definite};
use crate::unit::Speculation;
use crate::{CommandKey, EventStore, ExecuteError, StoreError, Unit};

/// Tries of a command against other processes that keep winning.
const TRIES: u32 = 12;
/// Tries of a statement whose outcome stays unknown.
const UNKNOWN_TRIES: u32 = 100;

/// Whose vault a command is about, who sends it, and its idempotency key if it has one.
#[derive(Clone, Debug)]
pub struct Context {
    pub owner_id: UserId,
    pub metadata: Metadata,
    pub idempotency: Option<CommandKey>,
}

/// A command that was carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Executed<T> {
    pub value: T,
    /// The last position that it appended; `None` when everything was already so.
    pub position: Option<i64>,
}

/// Sends an append and its side rows as one statement that calls `append_or_fail` with the given JSON. `None`: the
/// statement's own precondition did not hold, and nothing was written.
pub(crate) type Statement =
    dyn Fn(Value) -> BoxFuture<'static, Result<Option<i64>, sqlx::Error>> + Send + Sync;

impl EventStore {
    /// Runs `decide` on freshly loaded or cached aggregates and appends what it caused. Runs in a task of its own:
    /// a caller that goes away does not stop a command half-way. `decide` may be called several times.
    pub async fn execute<T, E, F>(&self, context: Context, decide: F) -> Result<Executed<T>, ExecuteError<E>>
    where
        T: Send + 'static,
        E: Send + 'static,
        F: for<'a> Fn(&'a mut Unit) -> BoxFuture<'a, Result<T, E>> + Send + Sync + 'static,
    {
        let store = self.clone();
        join(tokio::spawn(async move { store.run(context, &decide, None).await })).await
    }

    /// As [`Self::execute`], for rows that must commit with the events: `statement` writes both.
    pub async fn execute_with<T, E, F, S>(
        &self,
        context: Context,
        decide: F,
        statement: S,
    ) -> Result<Executed<T>, ExecuteError<E>>
    where
        T: Send + 'static,
        E: Send + 'static,
        F: for<'a> Fn(&'a mut Unit) -> BoxFuture<'a, Result<T, E>> + Send + Sync + 'static,
        S: Fn(Value) -> BoxFuture<'static, Result<Option<i64>, sqlx::Error>> + Send + Sync + 'static,
    {
        let store = self.clone();
        join(tokio::spawn(async move { store.run(context, &decide, Some(&statement)).await })).await
    }

    async fn run<T, E, F>(
        &self,
        context: Context,
        decide: &F,
        statement: Option<&Statement>,
    ) -> Result<Executed<T>, ExecuteError<E>>
    where
        F: for<'a> Fn(&'a mut Unit) -> BoxFuture<'a, Result<T, E>> + Sync,
    {
        for attempt in 1..=TRIES {
            let turn = self.owner_turn(context.owner_id).await;
            let (value, unit) = self.decide(&context, decide).await?;
            let Some((append, speculation)) = unit.into_append().await? else {
                return Ok(Executed { value, position: None });
            };
            let count = i64::try_from(append.events.len()).unwrap_or(i64::MAX);
            let streams: Vec<_> = speculation.iter().map(|(stream, ..)| stream.clone()).collect();
            let answer = match statement {
                None => {
                    let enqueued = self.enqueue(append, speculation).await?;
                    drop(turn);
                    enqueued.answer().await.map_err(ExecuteError::Store)
                }
                Some(statement) => self.send_statement(&append, statement).await,
            };
            match answer {
                Ok(Answer::Appended(first)) => {
                    return Ok(Executed { value, position: Some(first + count - 1) });
                }
                other => self.forget(&streams, other?)?,
            }
            counter!("docuvault_command_retries_total").increment(1);
            tokio::time::sleep(jitter(attempt)).await;
        }
        Err(ExecuteError::Contention)
    }

    /// Decides on cached state; a refusal or a no-op counts only on state that has committed.
    async fn decide<T, E, F>(&self, context: &Context, decide: &F) -> Result<(T, Unit), ExecuteError<E>>
    where
        F: for<'a> Fn(&'a mut Unit) -> BoxFuture<'a, Result<T, E>> + Sync,
    {
        let mut unit = Unit::new(self.clone(), context.clone(), true);
        let outcome = decide(&mut unit).await;
        if unit.used_cache && (outcome.is_err() || !unit.has_events()) {
            self.commits().barrier().await?;
            unit = Unit::new(self.clone(), context.clone(), false);
            return Ok((decide(&mut unit).await.map_err(ExecuteError::Refused)?, unit));
        }
        Ok((outcome.map_err(ExecuteError::Refused)?, unit))
    }

    async fn enqueue(&self, append: Append, speculation: Speculation) -> Result<Enqueued, StoreError> {
        let enqueued = self.commits().enqueue(append).await?;
        for (stream, sequence, state) in speculation {
            self.keep(stream, sequence, state);
        }
        Ok(enqueued)
    }

    /// What was decided did not happen: drops the state that assumed it. Fails if trying again is no use.
    fn forget<E>(&self, streams: &[crate::append::StreamId], answer: Answer) -> Result<(), ExecuteError<E>> {
        for stream in streams {
            self.drop_cached(stream);
        }
        match answer {
            Answer::NoKey => Err(ExecuteError::NoKey),
            Answer::Duplicate => Err(ExecuteError::Duplicate),
            Answer::Conflict | Answer::Appended(_) => Ok(()),
        }
    }

    /// Sends a statement until its outcome is known. After an unknown one, the log is asked first.
    async fn send_statement<E>(
        &self,
        append: &Append,
        statement: &Statement,
    ) -> Result<Answer, ExecuteError<E>> {
        let Some(first) = append.events.first().map(|event| event.event_id) else {
            return Ok(Answer::Conflict);
        };
        let mut unknown = false;
        for attempt in 1..=UNKNOWN_TRIES {
            let outcome = statement(append.to_json()).await;
            if unknown
                && !matches!(outcome, Ok(Some(_)))
                && let Ok(Some(position)) = self.position_of(first).await
            {
                return Ok(Answer::Appended(position));
            }
            match outcome {
                Ok(Some(position)) => return Ok(Answer::Appended(position)),
                Ok(None) => return Err(ExecuteError::Precondition),
                Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some("DV001") => {
                    return Ok(Answer::Conflict);
                }
                Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some("DV002") => {
                    return Ok(Answer::NoKey);
                }
                Err(error) if is_definite(&error) => return Err(StoreError::Database(error).into()),
                Err(error) => {
                    tracing::warn!(%error, "the outcome of an append is unknown; asking again");
                    unknown = true;
                    tokio::time::sleep(jitter(attempt.min(6))).await;
                }
            }
        }
        Err(StoreError::Unknown.into())
    }
}

async fn join<T, E>(
    task: tokio::task::JoinHandle<Result<Executed<T>, ExecuteError<E>>>,
) -> Result<Executed<T>, ExecuteError<E>> {
    match task.await {
        Ok(outcome) => outcome,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(_) => Err(StoreError::Closed.into()),
    }
}

/// Up to 2, 4, 8 … 256 ms.
fn jitter(attempt: u32) -> Duration {
    Duration::from_micros(rand::rng().random_range(0..1000 << attempt.min(8)))
}
