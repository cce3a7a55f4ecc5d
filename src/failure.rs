//! Failures that the person at the keyboard can mend say how.

/// A reason not to start, with its remedy. Shown as two lines.
#[derive(Debug, thiserror::Error)]
#[error("{problem}\nwhat to do: {remedy}")]
pub struct Failure {
    problem: String,
    remedy: String,
}

impl Failure {
    /// Both are plain sentences without a final stop.
    pub fn new(problem: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { problem: problem.into(), remedy: remedy.into() }
    }
}
