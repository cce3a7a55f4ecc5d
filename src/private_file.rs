//! Files that hold secrets: readable by their owner alone, and whole or absent after a crash.

use std::fs::{DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use tempfile::NamedTempFile;

/// Puts `content` in the place of `path`, on disk before it returns. The mode is 0600.
pub(crate) fn replace(path: &Path, content: impl AsRef<[u8]>) -> io::Result<()> {
    write_beside(path, content)?.persist(path)?;
    sync_parent(path)
}

/// As [`replace`], but refuses when `path` exists.
pub(crate) fn create(path: &Path, content: impl AsRef<[u8]>) -> io::Result<()> {
    write_beside(path, content)?.persist_noclobber(path)?;
    sync_parent(path)
}

/// A directory for its owner alone; an existing one is left as it is.
pub(crate) fn make_directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    sync_parent(path)
}

/// Makes the entry of `path` in its directory durable.
pub(crate) fn sync_parent(path: &Path) -> io::Result<()> {
    File::open(path.parent().unwrap_or(Path::new("/")))?.sync_all()
}

fn write_beside(path: &Path, content: impl AsRef<[u8]>) -> io::Result<NamedTempFile> {
    // tempfile makes its files with mode 0600.
    let mut file = NamedTempFile::new_in(path.parent().unwrap_or(Path::new("/")))?;
    file.write_all(content.as_ref())?;
    file.as_file().sync_all()?;
    Ok(file)
}
