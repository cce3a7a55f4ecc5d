//! Reading the log again: is it sound, and what happened. Everything here only reads, and runs beside a live server.
//!
//! [`verify`] believes nothing but the stored events: it hashes, decodes and folds all of them again. [`history`]
//! tells people who did what, and when.

#[cfg(test)]
#[path = "../../projections/src/fixture.rs"]
mod fixture;
pub mod history;
pub mod progress;
mod settings;
mod source;
#[cfg(test)]
mod tests;
pub mod verify;

pub use settings::Settings;
pub use source::Source;
