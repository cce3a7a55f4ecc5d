//! DocuVault: a self-hosted document vault whose every change is an event.

pub mod app;
pub mod auth;
pub mod blobs;
pub mod cli;
pub mod config;
pub mod consumers;
pub mod doctor;
pub mod documents;
pub mod error;
pub mod failure;
#[cfg(test)]
mod fixture;
pub mod http;
pub mod inspection;
pub mod mail;
pub mod migrate;
pub mod nats;
pub mod people;
mod private_file;
pub mod processes;
pub mod relay;
pub mod roles;
pub mod serve;
pub mod standalone;
pub mod telemetry;
pub mod worker;
