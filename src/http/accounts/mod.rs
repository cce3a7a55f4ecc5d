//! Accounts and sessions.

pub mod change_password;
pub mod change_profile;
pub mod cookie;
pub mod login;
pub mod logout;
pub mod me;
pub mod refresh;
pub mod setup;
pub mod signed_in;
#[cfg(test)]
mod tests;
pub mod tokens;
pub mod user;
