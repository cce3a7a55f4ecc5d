use cqrs_es::Aggregate;

use crate::{Document, Quota, User};

/// The version of an aggregate's serialized state. The store keeps states of long streams beside the log and passes
/// over those of another version; one that isn't listed is never kept.
///
/// Raise it whenever the state's fields, their meaning or `apply` change: `tests/golden/states/` notices most such changes.
pub fn state_version(aggregate_type: &str) -> Option<i32> {
    match aggregate_type {
        Document::TYPE | Quota::TYPE | User::TYPE => Some(1),
        _ => None,
    }
}
