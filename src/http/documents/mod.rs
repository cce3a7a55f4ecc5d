//! Documents. A command decides on the log's own state of the document; a query reads the listing, by the caller's id,
//! so that somebody else's document is as good as none.

pub mod announcement;
mod arrival;
pub mod cancel_upload;
pub mod change;
pub mod confirm_upload;
pub mod document;
pub mod download;
pub mod get;
pub mod history;
pub mod list;
pub mod purge;
pub mod rename;
pub mod request_upload;
pub mod restore;
pub mod resume_upload;
mod search;
#[cfg(test)]
mod tests;
pub mod trash;
pub mod upload;
