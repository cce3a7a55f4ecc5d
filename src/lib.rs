//! DocuVault: a self-hosted document vault whose every change is an event.

pub mod config;
pub mod failure;
pub mod migrate;
pub mod serve;
pub mod standalone;
pub mod telemetry;
pub mod worker;
