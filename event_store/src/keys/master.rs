//! The master key file: text, one line per version, `<version> <base64 of 32 bytes>`; `#` starts a comment.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use zeroize::Zeroizing;

/// The versions of the master key; the highest one wraps new keys.
pub struct MasterKeys {
    current: i32,
    versions: BTreeMap<i32, Zeroizing<[u8; 32]>>,
}

/// Why a master key file is not used.
#[derive(Debug, thiserror::Error)]
pub enum MasterKeyError {
    #[error("cannot read the master key {path}: {source}")]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("the master key {path} can be read by others (mode {mode:03o}): run `chmod 600 {path}`")]
    Exposed { path: PathBuf, mode: u32 },
    #[error("line {line} of the master key file is not `<version> <base64 of 32 bytes>`")]
    Malformed { line: usize },
    #[error("line {line} of the master key file gives a version that an earlier line has given")]
    Repeated { line: usize },
    #[error("the master key file holds no key")]
    Empty,
}

impl MasterKeys {
    /// Reads `path`, which nobody but its owner may read.
    pub fn read(path: &Path) -> Result<Self, MasterKeyError> {
        let unreadable = |source| MasterKeyError::Unreadable { path: path.into(), source };
        let mode = std::fs::metadata(path).map_err(unreadable)?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(MasterKeyError::Exposed { path: path.into(), mode });
        }
        let text = Zeroizing::new(std::fs::read_to_string(path).map_err(unreadable)?);
        Self::parse(&text)
    }

    /// Reads the text of a master key file.
    pub fn parse(text: &str) -> Result<Self, MasterKeyError> {
        let mut versions = BTreeMap::new();
        for (index, line) in text.lines().map(str::trim).enumerate() {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (version, key) = parse_line(line).ok_or(MasterKeyError::Malformed { line: index + 1 })?;
            if versions.insert(version, key).is_some() {
                return Err(MasterKeyError::Repeated { line: index + 1 });
            }
        }
        let current = *versions.keys().next_back().ok_or(MasterKeyError::Empty)?;
        Ok(Self { current, versions })
    }

    pub(super) const fn current(&self) -> i32 {
        self.current
    }

    pub(super) fn get(&self, version: i32) -> Option<&[u8; 32]> {
        self.versions.get(&version).map(|key| &**key)
    }
}

fn parse_line(line: &str) -> Option<(i32, Zeroizing<[u8; 32]>)> {
    let (version, key) = line.split_once(' ')?;
    let version = version.parse().ok().filter(|version| *version > 0)?;
    let bytes = Zeroizing::new(BASE64_STANDARD.decode(key.trim()).ok()?);
    Some((version, Zeroizing::new(bytes.as_slice().try_into().ok()?)))
}
