//! The real binaries, from outside: processes, files, ports, exit codes, and the API over HTTP.
#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]

mod audit;
mod client;
mod compose;
mod faults;
mod load;
mod mail;
mod matrix;
mod people;
mod read_models;
mod replay;
mod restore;
mod roles;
#[cfg(test)]
mod s3_contract;
mod secrets;
mod standalone;
mod tour;
