//! End-to-end tests, one binary.

// `cfg(test)` is always set here; it tells clippy that helpers are tests, too.
#[cfg(test)]
mod s3_contract;
