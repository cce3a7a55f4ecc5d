mod change_email;
mod change_password;
mod change_profile;
mod limits;
mod login;
mod mailbox;
mod recovery;
mod refresh;
mod register;
mod setup;
mod tokens;

use crate::fixture::{Browser, PASSWORD};
