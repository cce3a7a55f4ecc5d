//! Real files, made here: harmless ones through the extractors, hostile ones through the process.

mod extraction;
pub(crate) mod files;
mod hostile;
mod types;

use std::io::{Seek, Write};
use std::path::PathBuf;

use super::{Inspector, Limits};

/// The program whose worker is tested, as `cargo build --workspace --bins` has left it beside the tests.
pub(crate) fn program() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let program = tests.ancestors().nth(2).unwrap().join("docuvault");
    assert!(program.exists(), "{} is missing: run `cargo build --workspace --bins` first", program.display());
    program
}

pub(crate) fn inspector() -> Inspector {
    Inspector::new(program(), Limits::default())
}

fn file(bytes: &[u8]) -> std::fs::File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file.rewind().unwrap();
    file
}
