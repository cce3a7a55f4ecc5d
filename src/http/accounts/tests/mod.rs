mod change_password;
mod login;
mod person;
mod refresh;
mod setup;

use person::{Browser, PASSWORD};
