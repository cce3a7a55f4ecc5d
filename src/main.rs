//! `docuvault`: the command line is in the library.

use std::io::{self, Write};
use std::process::ExitCode;

fn main() -> ExitCode {
    docuvault::cli::run().unwrap_or_else(|error| {
        // Nothing is left to do when stderr is gone.
        let _ = writeln!(io::stderr(), "error: {error:#}");
        ExitCode::from(2)
    })
}
