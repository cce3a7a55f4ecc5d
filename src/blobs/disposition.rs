//! How a browser is told to treat a download: `Content-Disposition` (RFC 6266) with the name in the encoding of
//! RFC 8187, so that no name can break out of the header.

use std::fmt::Write;

use super::Download;

/// Types that are shown inside a browser without running anything.
const SHOWN: [&str; 6] =
    ["application/pdf", "image/png", "image/jpeg", "image/gif", "image/webp", "text/plain"];

/// Shown in place, or saved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Disposition {
    Inline,
    #[default]
    Attachment,
}

/// The header's value. Whatever could run in a browser is an attachment even if it was wished inline, and so is what
/// turned out to be something else than announced (attack U02).
pub fn content_disposition(download: Download<'_>) -> String {
    let Download { name, content_type, sniffed_type, disposition } = download;
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    let is = |other: &str| other.eq_ignore_ascii_case(essence);
    let shown = SHOWN.iter().any(|harmless| is(harmless)) && sniffed_type.is_none_or(is);
    let kind = if disposition == Disposition::Inline && shown { "inline" } else { "attachment" };
    format!("{kind}; filename=\"{}\"; filename*=UTF-8''{}", fallback(name), encoded(name))
}

/// For clients that know ASCII only.
fn fallback(name: &str) -> String {
    let plain = |c: char| c == ' ' || c.is_ascii_graphic() && !matches!(c, '"' | '\\' | '%');
    name.chars().map(|c| if plain(c) { c } else { '_' }).collect()
}

/// Everything but `attr-char` of RFC 8187 §3.2.1 as `%XX`.
fn encoded(name: &str) -> String {
    name.bytes().fold(String::with_capacity(name.len()), |mut text, byte| {
        if byte.is_ascii_alphanumeric() || b"!#$&+-.^_`|~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(text, "%{byte:02X}");
        }
        text
    })
}
