//! End-to-end tests, one binary.

mod s3_contract;
