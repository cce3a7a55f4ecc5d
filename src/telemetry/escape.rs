//! Log lines carry what strangers sent. A control character in it could start a forged line or drive the
//! reader's terminal, so none but the final line feed is written as it is.

use std::fmt::Write as _;
use std::io::{self, Write};

/// Stderr for one event per `write`, as `tracing_subscriber` formats them.
#[derive(Default)]
pub(super) struct EscapedStderr;

impl Write for EscapedStderr {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        io::stderr().write_all(escape(&String::from_utf8_lossy(event)).as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Escapes as JSON does (`\u001b`), so that a JSON line stays one.
pub(super) fn escape(event: &str) -> String {
    let line = event.strip_suffix('\n').unwrap_or(event);
    let mut escaped = String::with_capacity(line.len() + 1);
    for character in line.chars() {
        if is_unsafe(character) {
            // Writing to a String cannot fail.
            let _ = write!(escaped, "\\u{:04x}", u32::from(character));
        } else {
            escaped.push(character);
        }
    }
    escaped.push('\n');
    escaped
}

/// Controls, line separators and the bidirectional overrides that reorder what a reader sees.
fn is_unsafe(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
