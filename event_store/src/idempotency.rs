//! Idempotency keys: a command that comes twice happens once, and answers the same ids.
//!
//! The outcome commits with the events, in the same statement. While a command is under way in this process its key is
//! claimed in memory: if the process dies, nothing is left behind that a retry would have to wait for. Two processes
//! that race both decide, and the door lets one of them in.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use chrono::TimeDelta;
use serde_json::{Value, json};
use subtle::ConstantTimeEq;
use uuid::Uuid;

use crate::{EventStore, StoreError};

/// How long outcomes are kept: a day, and another one because the clock of the process that forgets them may be ahead.
const KEPT_FOR: TimeDelta = TimeDelta::hours(48);

/// An idempotency key in its scope.
#[derive(Clone, Debug)]
pub struct CommandKey {
    pub actor_id: Uuid,
    /// Method and route, with its parameters.
    pub route: String,
    pub key: String,
    /// Keyed hash of the request body.
    pub body_hash: Vec<u8>,
}

/// What is stored of a command that had a key.
#[derive(Clone, Debug)]
pub(crate) struct OutcomeRow {
    pub(crate) key: CommandKey,
    pub(crate) result: String,
    /// The last event of the append: who waits for its position has waited for all of them.
    pub(crate) event_id: Uuid,
}

impl OutcomeRow {
    /// As `append_or_fail` takes it.
    pub(crate) fn to_json(&self) -> Value {
        let CommandKey { actor_id, route, key, body_hash } = &self.key;
        json!({
            "actor_id": actor_id, "route": route, "key": key, "body_hash": BASE64_STANDARD.encode(body_hash),
            "result": self.result, "event_id": self.event_id,
        })
    }
}

/// A key is a first or a repeat.
pub enum Claim {
    /// Not seen before; in flight until the guard is dropped.
    First(ClaimGuard),
    /// Done before: the ids it was answered with, and its position.
    Repeat { result: Value, position: i64 },
}

/// Holds a key in flight.
pub struct ClaimGuard {
    scope: Scope,
    claims: Arc<Claims>,
}

/// Why a key cannot be claimed.
#[derive(Debug, thiserror::Error)]
pub enum IdempotencyError {
    #[error("a request with this idempotency key is being handled")]
    InFlight,
    #[error("this idempotency key was used with another body")]
    BodyDiffers,
    #[error(transparent)]
    Store(#[from] StoreError),
}

type Scope = (Uuid, String, String);

/// Keys in flight in this process.
#[derive(Default)]
pub(crate) struct Claims(Mutex<HashSet<Scope>>);

impl Drop for ClaimGuard {
    fn drop(&mut self) {
        self.claims.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.scope);
    }
}

impl EventStore {
    /// Claims `key`, or finds what became of it.
    pub async fn claim(&self, key: &CommandKey) -> Result<Claim, IdempotencyError> {
        let scope = (key.actor_id, key.route.clone(), key.key.clone());
        let claims = self.claims().clone();
        if !claims.0.lock().unwrap_or_else(PoisonError::into_inner).insert(scope.clone()) {
            return Err(IdempotencyError::InFlight);
        }
        let guard = ClaimGuard { scope, claims };
        let row = sqlx::query!(
            "SELECT o.body_hash, o.result, e.position FROM command_outcomes o JOIN events e USING (event_id)
             WHERE o.actor_id = $1 AND o.route = $2 AND o.key = $3",
            key.actor_id,
            key.route,
            key.key
        )
        .fetch_optional(self.pool())
        .await
        .map_err(StoreError::from)?;
        match row {
            None => Ok(Claim::First(guard)),
            Some(row) if bool::from(row.body_hash.ct_eq(&key.body_hash)) => {
                Ok(Claim::Repeat { result: row.result, position: row.position })
            }
            Some(_) => Err(IdempotencyError::BodyDiffers),
        }
    }

    /// Forgets outcomes that nobody may repeat any more. Returns how many.
    pub async fn forget_outcomes(&self) -> Result<u64, StoreError> {
        let before = self.clock().now() - KEPT_FOR;
        let query = sqlx::query!("DELETE FROM command_outcomes WHERE recorded_at < $1", before);
        Ok(query.execute(self.pool()).await?.rows_affected())
    }
}
