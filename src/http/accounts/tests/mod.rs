mod change_email;
mod change_password;
mod login;
mod mailbox;
mod person;
mod recovery;
mod refresh;
mod register;
mod setup;

use person::{Browser, PASSWORD};
