//! Accounts and sessions.

pub mod change_password;
pub mod change_profile;
pub mod cookie;
pub mod login;
pub mod login_backup_code;
pub mod login_totp;
pub mod logout;
pub mod me;
pub mod refresh;
mod second_step;
pub mod sessions;
pub mod setup;
mod sign_in;
pub mod signed_in;
#[cfg(test)]
mod tests;
pub mod tokens;
pub mod totp;
pub mod user;
