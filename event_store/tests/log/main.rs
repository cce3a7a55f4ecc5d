//! The log against a real PostgreSQL, through its public surface and, where an attacker would, around it.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod append_only;
mod differential;
mod door;
mod execute;
mod gate;
mod idempotency;
mod leaf;
mod proxy;
mod sealing;
mod smoke;
mod snapshots;
mod unknown;
mod vault;
mod writers;
