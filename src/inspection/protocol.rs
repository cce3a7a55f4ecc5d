//! What the worker writes: the type on the first line, as soon as it is known; the outcome on the second; then the text.

use aggregates::document::InspectionRefusal;
use serde::{Deserialize, Serialize};

use super::{Finding, Text, UNKNOWN_TYPE};

/// The first line.
#[derive(Serialize, Deserialize)]
pub(super) struct Type {
    pub(super) content_type: String,
}

/// The second line.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Outcome {
    /// The text follows.
    Text {
        language: String,
        bytes: usize,
    },
    Refused(InspectionRefusal),
}

/// Longer than any two lines of ours.
pub(super) const LINES_AT_MOST: usize = 1024;

/// Reads what a worker wrote before it ended. What is not of this protocol counts as nothing: the worker may have been
/// taken over by the file that it read.
pub(super) fn read(output: &[u8]) -> (String, Option<Result<Text, InspectionRefusal>>) {
    let mut lines = output.splitn(3, |byte| *byte == b'\n');
    let content_type = lines.next().and_then(|line| serde_json::from_slice::<Type>(line).ok());
    let content_type = content_type.map(|line| line.content_type).filter(|name| is_type(name));
    let outcome = lines.next().and_then(|line| serde_json::from_slice::<Outcome>(line).ok());
    let rest = lines.next().unwrap_or_default();
    let text = match outcome {
        Some(Outcome::Refused(reason)) => Some(Err(reason)),
        Some(Outcome::Text { language, bytes }) if bytes == rest.len() && is_language(&language) => {
            std::str::from_utf8(rest).ok().map(|text| Ok(Text { language, text: text.to_owned() }))
        }
        _ => None,
    };
    (content_type.unwrap_or_else(|| UNKNOWN_TYPE.into()), text)
}

/// Writes a finding whose type is out already.
pub(super) fn write(finding: &Finding, mut to: impl std::io::Write) -> std::io::Result<()> {
    let (outcome, text) = match &finding.text {
        Ok(Text { language, text }) => {
            (Outcome::Text { language: language.clone(), bytes: text.len() }, text.as_str())
        }
        Err(reason) => (Outcome::Refused(*reason), ""),
    };
    serde_json::to_writer(&mut to, &outcome)?;
    to.write_all(b"\n")?;
    to.write_all(text.as_bytes())?;
    to.flush()
}

fn is_type(text: &str) -> bool {
    let word = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-._".contains(&byte))
    };
    text.len() <= 100 && text.split_once('/').is_some_and(|(left, right)| word(left) && word(right))
}

fn is_language(text: &str) -> bool {
    text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_lowercase())
}
