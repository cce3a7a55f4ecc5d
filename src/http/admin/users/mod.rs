//! The people of the vault. Administrators see who they are and how much they keep, never what; they make passwords that
//! have to be changed, and choose none.

pub mod change;
pub mod create;
pub mod disable_totp;
pub mod end_sessions;
pub mod get;
pub mod limit_quota;
pub mod list;
mod order;
pub mod person;
pub mod reset_password;
#[cfg(test)]
mod tests;
