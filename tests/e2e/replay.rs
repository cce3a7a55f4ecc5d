//! `docuvault-replay` as compliance runs it.

use std::path::Path;
use std::process::Stdio;

use tokio::process::Command;

use crate::standalone::vault::Vault;

/// The binary beside ours.
fn replay(env_file: &Path) -> Command {
    let path = Path::new(env!("CARGO_BIN_EXE_docuvault")).with_file_name("docuvault-replay");
    assert!(path.exists(), "build it first, as `make test` does: cargo build --workspace --bins");
    let mut command = Command::new(path);
    command.arg("--env-file").arg(env_file).stdin(Stdio::null()).env_remove("DATABASE_URL");
    command
}

/// Runs `docuvault-replay` with `arguments`; its exit code and what it printed.
pub(crate) async fn run(vault: &Vault, arguments: &[&str]) -> (Option<i32>, String) {
    run_on(&vault.env_file(), arguments).await
}

/// As [`run`], on the vault that an env file leads to.
pub(crate) async fn run_on(env_file: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let output = replay(env_file).args(arguments).output().await.unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(text).unwrap())
}

/// The vault's whole history is sound and its read models are what a fresh fold gives.
pub(crate) async fn assert_sound(vault: &Vault) {
    let (code, text) = run(vault, &["verify"]).await;
    assert_eq!(code, Some(0), "{text}");
}
