//! The process that reads a hostile file: from standard input, to standard output, and nothing else. It takes its own
//! rights away before it looks at the first byte.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::process::parent_id;
use std::process::ExitCode;

use nix::sys::prctl::set_pdeathsig;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::Signal;
use nix::unistd::{dup, dup2_stdout};

use super::extract::extract;
use super::protocol::{self, Type};
use super::{Finding, Text, language, sniff};

/// What the process that waits for the finding allows.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct WorkerArguments {
    /// The process to die with
    #[arg(long)]
    pub(super) parent: u32,
    /// Seconds of computing
    #[arg(long)]
    pub(super) cpu: u64,
    /// Bytes of address space
    #[arg(long)]
    pub(super) memory: u64,
    /// Bytes of text
    #[arg(long)]
    pub(super) text: usize,
    /// Only tell the type: the file is the beginning of one that is too large
    #[arg(long)]
    pub(super) type_only: bool,
}

/// Standard input, output, errors, and the way to the parent.
const OPEN_FILES: u64 = 4;

/// Reads the file, writes the finding. Before any other thread exists.
pub fn run(arguments: WorkerArguments) -> ExitCode {
    match inspect(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn inspect(arguments: WorkerArguments) -> io::Result<()> {
    let mut file = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    // A library that prints must not speak for us.
    let mut output = File::from(dup(io::stdout())?);
    dup2_stdout(io::stderr())?;
    // A message may quote the file.
    std::panic::set_hook(Box::new(|_| {}));
    confine(arguments)?;

    let head = sniff::head(&mut file)?;
    let content_type = sniff::sniff(&head, &mut file);
    serde_json::to_writer(&mut output, &Type { content_type: content_type.into() })?;
    output.write_all(b"\n")?;
    if arguments.type_only {
        return Ok(());
    }
    io::Seek::rewind(&mut file)?;
    let text = extract(content_type, file, arguments.text)
        .map(|text| Text { language: language::detect(&text).into(), text });
    protocol::write(&Finding { content_type: content_type.into(), text }, output)
}

/// With all descriptors in use, no file, socket or device can be opened any more.
fn confine(arguments: WorkerArguments) -> io::Result<()> {
    set_pdeathsig(Signal::SIGKILL)?;
    if parent_id() != arguments.parent {
        return Err(io::Error::other("the parent is gone already"));
    }
    let limits = [
        (Resource::RLIMIT_CPU, arguments.cpu),
        (Resource::RLIMIT_AS, arguments.memory),
        (Resource::RLIMIT_NOFILE, OPEN_FILES + 1),
        (Resource::RLIMIT_FSIZE, 0),
        (Resource::RLIMIT_CORE, 0),
        (Resource::RLIMIT_NPROC, 0),
    ];
    for (resource, limit) in limits {
        setrlimit(resource, limit, limit)?;
    }
    Ok(())
}
