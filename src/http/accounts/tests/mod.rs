mod change_password;
mod login;
mod person;
mod refresh;
mod setup;
mod tokens;

use person::{Browser, PASSWORD};
