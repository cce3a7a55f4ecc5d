//! What is in an upload: its true type and its text.
//!
//! Files come from anywhere, and parsers of PDF, ZIP and XML are where hostile ones aim. They are therefore parsed in a
//! process of their own (attack U08): this same program, started anew with an empty environment, no files but the one
//! to read, and limits on time, memory and output. Whatever happens to that process, the answer is a [`Finding`].

mod extract;
mod inspector;
mod language;
mod protocol;
mod sniff;
#[cfg(test)]
pub(crate) mod tests;
mod worker;

use aggregates::document::InspectionRefusal;

pub use inspector::{Inspector, Limits};
pub use worker::{WorkerArguments, run as run_worker};

/// What nothing is known about.
pub const UNKNOWN_TYPE: &str = "application/octet-stream";

/// How many bytes from the beginning of a file tell its type.
pub const TYPE_FROM: u64 = sniff::HEAD as u64;

/// What a look into a file came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What the bytes are, whatever was announced.
    pub content_type: String,
    pub text: Result<Text, InspectionRefusal>,
}

/// The text of a file, and the language that it is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// ISO 639-3, or `und`.
    pub language: String,
    pub text: String,
}
