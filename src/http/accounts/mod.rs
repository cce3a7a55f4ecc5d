//! Accounts and sessions.

pub mod change_password;
mod cookie;
pub mod login;
pub mod logout;
pub mod me;
pub mod refresh;
pub mod setup;
mod signed_in;
#[cfg(test)]
mod tests;
mod user;
