//! What administrators see and do (auditors: the audit trail); never anybody's documents.

pub mod list_audit;
pub mod list_projections;
pub mod rebuild_projection;
#[cfg(test)]
mod tests;
pub mod users;
