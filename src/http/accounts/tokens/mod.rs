//! API tokens of one's own.

pub mod create;
pub mod list;
pub mod revoke;
