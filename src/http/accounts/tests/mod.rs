mod authenticator;
mod backup_codes;
mod change_email;
mod change_password;
mod change_profile;
mod families;
mod limits;
mod login;
mod mailbox;
mod recovery;
mod refresh;
mod register;
mod second_step;
mod sessions;
mod setup;
mod tokens;
mod totp;

use authenticator::Authenticator;

use crate::fixture::{Browser, PASSWORD};
