//! Finds nats-server on this machine.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::config::Environment;
use crate::failure::Failure;

const NAME: &str = "DOCUVAULT_NATS_SERVER";
/// Older ones do not know `sync_interval`, or have known holes (CVE-2025-30215).
const OLDEST: (u32, u32) = (2, 12);
const REMEDY: &str = "install nats-server 2.12 or newer (`make setup` in the source tree does), or name its binary with \
                      DOCUVAULT_NATS_SERVER";

/// The binary that `DOCUVAULT_NATS_SERVER` names, else the one in PATH; refused when it is too old.
pub(in crate::standalone) fn find(environment: &Environment) -> Result<PathBuf, Failure> {
    let program = match environment.text(NAME) {
        Some(path) => PathBuf::from(path),
        None => {
            in_path().ok_or_else(|| Failure::new("nats-server is not installed on this machine", REMEDY))?
        }
    };
    let shown = program.display();
    let version = version(&program)
        .ok_or_else(|| Failure::new(format!("{shown} is not a nats-server that runs here"), REMEDY))?;
    if numbers(&version).is_none_or(|found| found < OLDEST) {
        let problem = format!("{shown} is nats-server {version}, which is older than 2.12");
        return Err(Failure::new(problem, REMEDY));
    }
    Ok(program)
}

fn in_path() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|directory| directory.join("nats-server")).find(|file| file.is_file())
}

/// Of `nats-server --version`, which prints `nats-server: v2.12.1`.
fn version(program: &Path) -> Option<String> {
    let output = Command::new(program).arg("--version").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    Some(text.trim().strip_prefix("nats-server: v")?.to_owned())
}

fn numbers(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.split('.').map(str::parse);
    match (parts.next(), parts.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => Some((major, minor)),
        _ => None,
    }
}
