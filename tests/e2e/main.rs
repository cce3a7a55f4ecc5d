//! The real binary, from outside: its processes, files, ports and exit codes.
#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]

mod s3_contract;
mod standalone;
