mod change_password;
mod change_profile;
mod limits;
mod login;
mod refresh;
mod setup;
mod tokens;

use crate::fixture::{Browser, PASSWORD};
