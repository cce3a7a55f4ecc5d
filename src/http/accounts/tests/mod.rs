mod change_password;
mod change_profile;
mod login;
mod refresh;
mod setup;

use crate::fixture::{Browser, PASSWORD};
