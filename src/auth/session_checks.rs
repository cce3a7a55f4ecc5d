//! Every request asks whether its session still goes on. The answer is good for half a second, so that a busy client costs no
//! statement each time: what ends a session at another process takes effect within that time, and what ends one here at
//! once, because whatever this process writes beside events makes older answers void (attack A21).

use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use aggregates::{SessionId, UserId};
use chrono::{DateTime, Utc};
use event_store::EventStore;
use lru::LruCache;

use super::session::{self, Going};
use super::token::Claims;
use crate::error::ApiError;

const GOOD_FOR: Duration = Duration::from_millis(500);
/// Sessions that are remembered.
const REMEMBERED: NonZeroUsize = NonZeroUsize::new(10_000).unwrap();

/// Finds out whether sessions go on.
pub struct SessionChecks {
    store: EventStore,
    recent: Mutex<LruCache<SessionId, Recent>>,
}

/// What was found out.
#[derive(Clone, Copy)]
struct Recent {
    /// For these claims.
    user_id: UserId,
    session_version: i32,
    going: Going,
    at: Instant,
    /// Before the database was asked.
    side_rows: u64,
}

impl SessionChecks {
    pub fn new(store: EventStore) -> Self {
        Self { store, recent: Mutex::new(LruCache::new(REMEMBERED)) }
    }

    /// The session that `claims` names, if it still goes on.
    pub async fn check(
        &self,
        claims: &Claims<SessionId>,
        now: DateTime<Utc>,
    ) -> Result<Option<Going>, ApiError> {
        let (at, side_rows) = (Instant::now(), self.store.side_rows());
        if let Some(recent) = self.recall(claims.sid)
            && recent.is_good(claims, side_rows, now)
        {
            return Ok(Some(recent.going));
        }
        let found = session::check(self.store.pool(), claims, now).await?;
        if let Some(going) = found {
            let (user_id, session_version) = (claims.sub, claims.sv);
            let recent = Recent { user_id, session_version, going, at, side_rows };
            self.recent.lock().unwrap_or_else(PoisonError::into_inner).put(claims.sid, recent);
        }
        Ok(found)
    }

    fn recall(&self, session_id: SessionId) -> Option<Recent> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner).get(&session_id).copied()
    }
}

impl Recent {
    fn is_good(&self, claims: &Claims<SessionId>, side_rows: u64, now: DateTime<Utc>) -> bool {
        self.user_id == claims.sub
            && self.session_version == claims.sv
            && self.side_rows == side_rows
            && self.at.elapsed() < GOOD_FOR
            && self.going.expires_at > now
    }
}
