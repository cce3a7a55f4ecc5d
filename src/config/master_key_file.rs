//! The master key is worth as much as the vault: a file that others can read is refused.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use super::{ConfigError, Environment};

const NAME: &str = "DOCUVAULT_MASTER_KEY_FILE";

pub(super) fn from_env(environment: &Environment) -> Result<PathBuf, ConfigError> {
    let path = PathBuf::from(environment.required(NAME, "the path of the master key's file (mode 0600)")?);
    let shown = path.display();
    let file = std::fs::metadata(&path)
        .map_err(|error| ConfigError::wrong(NAME, format!("cannot read {shown}: {error}")))?;
    if !file.is_file() {
        return Err(ConfigError::wrong(NAME, format!("{shown} is not a file")));
    }
    let mode = file.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        let reason = format!("others can read {shown} (mode {mode:04o})\nwhat to do: chmod 600 {shown}");
        return Err(ConfigError::wrong(NAME, reason));
    }
    Ok(path)
}
