//! Plain text says nothing about its encoding: a byte order mark decides, then whether it is UTF-8; what is left is read
//! as Windows-1252, of which Latin-1 is a part.

use aggregates::document::InspectionRefusal;
use encoding_rs::{Encoding, UTF_8, WINDOWS_1252};

use super::Bounded;

pub(super) fn extract(bytes: &[u8], text: &mut Bounded) -> Result<(), InspectionRefusal> {
    text.push(&decode(bytes)?)
}

/// The characters of `bytes`.
pub(super) fn decode(bytes: &[u8]) -> Result<std::borrow::Cow<'_, str>, InspectionRefusal> {
    let encoding = match Encoding::for_bom(bytes) {
        Some((encoding, _)) => encoding,
        None if std::str::from_utf8(bytes).is_ok() => UTF_8,
        None => WINDOWS_1252,
    };
    let (text, _, malformed) = encoding.decode(bytes);
    if malformed || text.contains(is_binary) { Err(InspectionRefusal::Malformed) } else { Ok(text) }
}

/// Whether a file that begins with `head` is made of characters.
pub(in crate::inspection) fn is_text(head: &[u8]) -> bool {
    if let Some((encoding, length)) = Encoding::for_bom(head)
        && encoding != UTF_8
    {
        // The cut may go through a character: two UTF-16 units at most.
        let body = &head[length..head.len() - (head.len() - length) % 2];
        let (text, _) = encoding.decode_without_bom_handling(body);
        let text = text.strip_suffix('\u{FFFD}').unwrap_or(&text);
        return !text.contains('\u{FFFD}') && !text.contains(is_binary);
    }
    match std::str::from_utf8(head) {
        Ok(text) => !text.contains(is_binary),
        Err(error) => match std::str::from_utf8(&head[..error.valid_up_to()]) {
            // Cut in the middle of a character.
            Ok(text) if error.error_len().is_none() => !text.contains(is_binary),
            _ => !head.iter().any(|byte| is_binary(char::from(*byte)) && *byte < 0x80),
        },
    }
}

/// Control characters that no text has.
fn is_binary(character: char) -> bool {
    matches!(character, '\0'..='\x08' | '\x0E'..='\x1A' | '\x1C'..='\x1F' | '\x7F')
}
