//! `docuvault standalone` as a process: how it starts, refuses, dies and comes back.

mod death;
mod nats;
mod refusals;
mod start;
pub(crate) mod vault;
