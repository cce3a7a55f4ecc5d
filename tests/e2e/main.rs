//! The real binary, from outside: its processes, files, ports and exit codes.
#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]

// `cfg(test)` is always set here; it tells clippy that helpers are tests, too.
#[cfg(test)]
mod s3_contract;
mod standalone;
