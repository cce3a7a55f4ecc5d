//! Accounts and sessions.

mod applicant;
mod beside;
pub mod change_email;
pub mod change_password;
pub mod change_profile;
pub mod confirm_email;
pub mod cookie;
pub mod forgot_password;
pub mod login;
pub mod login_backup_code;
pub mod login_totp;
pub mod logout;
pub mod me;
pub mod refresh;
pub mod register;
pub mod resend_verification;
pub mod reset_password;
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
pub mod verify_email;
