//! Finds PostgreSQL's programs on this machine.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::Failure;

const OLDEST_MAJOR: u32 = 15;
const DEBIAN_VERSIONS: &str = "/usr/lib/postgresql";

/// The major version that made the cluster in DATA/postgres; only the same one can open it.
pub(super) fn major_of_cluster(postgres: &Path) -> Option<u32> {
    std::fs::read_to_string(postgres.join("data").join("PG_VERSION")).ok()?.trim().parse().ok()
}

/// The directory of `postgres` and `initdb`: of the `wanted` major version, or else of the newest.
pub(super) fn find(wanted: Option<u32>) -> Result<PathBuf, Failure> {
    candidates()
        .into_iter()
        .filter(|directory| directory.join("initdb").is_file())
        .filter_map(|directory| Some((major_version(&directory)?, directory)))
        .filter(|(major, _)| wanted.map_or(*major >= OLDEST_MAJOR, |wanted| *major == wanted))
        .max_by_key(|(major, _)| *major)
        .map(|(_, directory)| directory)
        .ok_or_else(|| missing(wanted))
}

fn missing(wanted: Option<u32>) -> Failure {
    match wanted {
        Some(major) => Failure::new(
            format!("this vault's data was made by PostgreSQL {major}, which this machine does not have"),
            format!("install it: apt-get install postgresql-{major}"),
        ),
        None => Failure::new(
            format!("PostgreSQL {OLDEST_MAJOR} or newer is not installed on this machine"),
            "install it: apt-get install postgresql (or `make setup` in the source tree)",
        ),
    }
}

/// Debian keeps the server's programs out of PATH, one directory per major version.
fn candidates() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut directories: Vec<PathBuf> = std::env::split_paths(&path).collect();
    if let Ok(output) = Command::new("pg_config").arg("--bindir").output() {
        directories.push(String::from_utf8_lossy(&output.stdout).trim().into());
    }
    if let Ok(versions) = std::fs::read_dir(DEBIAN_VERSIONS) {
        directories.extend(versions.flatten().map(|version| version.path().join("bin")));
    }
    directories
}

/// Of `postgres --version`, which prints `postgres (PostgreSQL) 15.18 (…)`.
fn major_version(directory: &Path) -> Option<u32> {
    let output = Command::new(directory.join("postgres")).arg("--version").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let version = text.split_whitespace().nth(2)?;
    version.split(|character: char| !character.is_ascii_digit()).next()?.parse().ok()
}
