//! Events that consumers gave up, for administrators.

pub mod list;
pub mod retry;
