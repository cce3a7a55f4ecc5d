//! What administrators see and do; never anybody's documents.

pub mod list_projections;
pub mod rebuild_projection;
#[cfg(test)]
mod tests;
