//! `docuvault`: the command line is in the library.

use std::io::{self, Write};
use std::process::ExitCode;

use tikv_jemallocator::Jemalloc;

/// Folds and requests allocate many small things: with the system's allocator that was two fifths of their time.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    docuvault::cli::run().unwrap_or_else(|error| {
        // Nothing is left to do when stderr is gone.
        let _ = writeln!(io::stderr(), "error: {error:#}");
        ExitCode::from(2)
    })
}
