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

use crate::append::Answer;
use crate::snapshot::Snapshot;
use crate::statement::{self, Statement};
use crate::unit::Footing;
use crate::{CommandKey, EventStore, ExecuteError, SealError, StoreError, Unit};

/// Tries of a command against other processes that keep winning.
const TRIES: u32 = 12;

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

    /// As [`Self::execute`], for rows that must commit with the events: `statement` writes both, in one statement that
    /// calls `append_or_fail` with the JSON it is given. `None`: its own precondition did not hold, and it wrote nothing.
    ///
    /// The side rows come first and the call last (`WITH row AS (INSERT … RETURNING 1) SELECT append_or_fail($1) FROM
    /// row`): a statement that waits for somebody's row while it holds the gate stops the log. It may be sent again
    /// when the reply to it was lost, and then must not succeed twice.
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
            let (value, unit) = self.decide(&context, decide, attempt == 1).await?;
            let speculative = unit.used_cache;
            let Some((append, mut footing)) = unit.into_append().await.map_err(no_key)? else {
                return Ok(Executed { value, position: None });
            };
            let count = i64::try_from(append.events.len()).unwrap_or(i64::MAX);
            let answer = match statement {
                None => {
                    let enqueued = self.commits().enqueue(append).await?;
                    self.keep(&mut footing);
                    drop(turn);
                    enqueued.answer().await
                }
                Some(statement) => {
                    if speculative {
                        self.commits().barrier().await?;
                    }
                    let answer = statement::send(self, &append, statement).await;
                    self.side_rows_changed();
                    if matches!(answer, Ok(Answer::Appended(_))) {
                        self.keep(&mut footing);
                    }
                    drop(turn);
                    answer
                }
            };
            if let Ok(Answer::Appended(first)) = answer {
                self.keep_snapshots(context.owner_id, footing);
                return Ok(Executed { value, position: Some(first + count - 1) });
            }
            self.forget(&footing);
            match answer? {
                Answer::NoKey => return Err(ExecuteError::NoKey),
                Answer::Duplicate => return Err(ExecuteError::Duplicate),
                Answer::Precondition => return Err(ExecuteError::Precondition),
                Answer::Conflict | Answer::Appended(_) => {}
            }
            counter!("docuvault_command_retries_total").increment(1);
            tokio::time::sleep(jitter(attempt)).await;
        }
        Err(ExecuteError::Contention)
    }

    fn keep_snapshots(&self, owner: UserId, footing: Vec<Footing>) {
        for Footing { stream, after, snapshot, .. } in footing {
            if let Some((state, event_id)) = snapshot.zip(after.event_id) {
                let sequence = after.sequence;
                self.snapshots().offer(Snapshot { stream, sequence, event_id, owner, state });
            }
        }
    }

    /// Decides on cached state if it may; a refusal or a no-op counts only on state that has committed.
    async fn decide<T, E, F>(
        &self,
        context: &Context,
        decide: &F,
        may_use_cache: bool,
    ) -> Result<(T, Unit), ExecuteError<E>>
    where
        F: for<'a> Fn(&'a mut Unit) -> BoxFuture<'a, Result<T, E>> + Sync,
    {
        if may_use_cache {
            let mut unit = Unit::new(self.clone(), context.clone(), true);
            let outcome = decide(&mut unit).await;
            if !unit.used_cache || (outcome.is_ok() && unit.has_events()) {
                return Ok((outcome.map_err(ExecuteError::Refused)?, unit));
            }
        }
        self.commits().barrier().await?;
        let mut unit = Unit::new(self.clone(), context.clone(), false);
        Ok((decide(&mut unit).await.map_err(ExecuteError::Refused)?, unit))
    }
}

fn no_key<E>(error: StoreError) -> ExecuteError<E> {
    match error {
        StoreError::Seal(SealError::NoKey(_)) => ExecuteError::NoKey,
        other => ExecuteError::Store(other),
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
pub(crate) fn jitter(attempt: u32) -> Duration {
    Duration::from_micros(rand::rng().random_range(0..1000 << attempt.min(8)))
}
