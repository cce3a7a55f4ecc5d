//! Aggregates at hand: recently used states, some of them not committed yet. Never trusted to refuse a command.

use std::any::Any;
use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};

use lru::LruCache;

use crate::append::StreamId;

/// Streams kept at hand in each process.
const STREAMS: NonZeroUsize = NonZeroUsize::new(16_384).unwrap();

type State = (i64, Box<dyn Any + Send + Sync>);

pub(crate) struct StateCache(Mutex<LruCache<StreamId, State>>);

impl StateCache {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(LruCache::new(STREAMS)))
    }

    pub(crate) fn get<A: Clone + 'static>(&self, stream: &StreamId) -> Option<(A, i64)> {
        let mut states = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (sequence, state) = states.get(stream)?;
        Some((state.downcast_ref::<A>()?.clone(), *sequence))
    }

    pub(crate) fn put(&self, stream: StreamId, sequence: i64, state: Box<dyn Any + Send + Sync>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).put(stream, (sequence, state));
    }

    pub(crate) fn remove(&self, stream: &StreamId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop(stream);
    }
}
