//! `docuvault doctor`: looks at everything that the vault stands on and says what to do about what it finds.

mod after_restore;
mod checks;
#[cfg(test)]
mod tests;

pub use after_restore::{Restored, after_restore};
pub use checks::check;

/// What one check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at.
    pub part: &'static str,
    /// How it is.
    pub state: String,
    /// What to do, when it is not as it should be.
    pub remedy: Option<String>,
}

impl Finding {
    fn fine(part: &'static str, state: impl Into<String>) -> Self {
        Self { part, state: state.into(), remedy: None }
    }

    fn bad(part: &'static str, state: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { part, state: state.into(), remedy: Some(remedy.into()) }
    }
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mark = if self.remedy.is_some() { "BAD" } else { "ok" };
        write!(f, "{mark:<4} {:<13} {}", self.part, self.state)?;
        match &self.remedy {
            Some(remedy) => write!(f, "\n     what to do: {remedy}"),
            None => Ok(()),
        }
    }
}
