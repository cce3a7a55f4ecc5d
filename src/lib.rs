//! DocuVault: a self-hosted document vault whose every change is an event.

pub mod app;
pub mod auth;
pub mod config;
pub mod error;
pub mod failure;
pub mod http;
pub mod migrate;
pub mod serve;
pub mod standalone;
pub mod telemetry;
pub mod worker;
