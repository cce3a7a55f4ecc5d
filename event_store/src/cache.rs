//! Aggregates at hand: recently used states, some of them not committed yet. Never trusted to refuse a command.

use std::any::Any;
use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};

use lru::LruCache;

use crate::append::{Head, StreamId};

/// Streams kept at hand in each process.
const STREAMS: NonZeroUsize = NonZeroUsize::new(16_384).unwrap();

type State = (Head, Box<dyn Any + Send + Sync>);

pub(crate) struct StateCache(Mutex<LruCache<StreamId, State>>);

impl StateCache {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(LruCache::new(STREAMS)))
    }

    pub(crate) fn get<A: Clone + 'static>(&self, stream: &StreamId) -> Option<(A, Head)> {
        let mut states = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (head, state) = states.get(stream)?;
        Some((state.downcast_ref::<A>()?.clone(), *head))
    }

    pub(crate) fn put(&self, stream: StreamId, head: Head, state: Box<dyn Any + Send + Sync>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).put(stream, (head, state));
    }

    /// Removes the state of `stream` if it is one of `heads`; a newer one, loaded since, stays.
    pub(crate) fn remove(&self, stream: &StreamId, heads: [Head; 2]) {
        let mut states = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if states.peek(stream).is_some_and(|(head, _)| heads.contains(head)) {
            states.pop(stream);
        }
    }
}
