//! Names the field that a serde error is about.

use std::fmt::Display;

use crate::error::FieldError;

/// serde tells of a missing, unknown or duplicate field only in its message, and of its parent in the path.
pub(super) fn field_error<E: Display>(error: &serde_path_to_error::Error<E>) -> FieldError {
    let message = error.inner().to_string();
    // serde_json adds where in the text it happened; the path says it better.
    let message = message.split(" at line ").next().unwrap_or_default().to_owned();
    let parent = error.path().to_string();
    let parent = if parent == "." { "" } else { parent.as_str() };
    let named =
        [("missing field `", "missing"), ("unknown field `", "unknown"), ("duplicate field `", "invalid")];
    let found = named
        .iter()
        .find_map(|(prefix, code)| Some((message.strip_prefix(prefix)?.split('`').next()?, *code)));
    let (field, code) = match found {
        Some((name, code)) => (join(parent, name), code),
        None => (parent.to_owned(), "invalid"),
    };
    FieldError { field, code, message }
}

fn join(parent: &str, name: &str) -> String {
    match parent.strip_suffix(name) {
        // Some formats put the unknown field into the path already.
        Some(rest) if rest.is_empty() || rest.ends_with('.') => parent.to_owned(),
        _ if parent.is_empty() => name.to_owned(),
        _ => format!("{parent}.{name}"),
    }
}
