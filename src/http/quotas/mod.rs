//! How much room people have.

pub mod get;
