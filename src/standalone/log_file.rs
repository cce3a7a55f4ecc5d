//! DATA/postgres.log and DATA/nats.log: what the children say, each at most two files of [`LIMIT`] bytes.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::Context;

const LIMIT: u64 = 16 * 1024 * 1024;
const TAIL_LINES: usize = 10;

/// Opens it for appending, so that [`bound`] can shorten it under the writer.
pub(super) fn open(path: &Path) -> anyhow::Result<File> {
    bound(path);
    OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("cannot open {}", path.display()))
}

/// Moves a log that has grown past the limit to `<its name>.1`, best effort.
pub(super) fn bound(path: &Path) {
    let too_long = std::fs::metadata(path).is_ok_and(|log| log.len() > LIMIT);
    if too_long && std::fs::copy(path, path.with_extension("log.1")).is_ok() {
        let _ = OpenOptions::new().write(true).truncate(true).open(path);
    }
}

/// The last lines, for an error message.
pub(super) fn tail(path: &Path) -> String {
    let text = std::fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
}
