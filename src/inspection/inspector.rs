use std::fs::File;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use aggregates::document::InspectionRefusal;
use anyhow::Context;
use nix::sys::signal::Signal;
use std::os::unix::process::ExitStatusExt;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;
use tokio::time::timeout;

use super::{Finding, protocol};

const MIB: u64 = 1024 * 1024;
/// What Rust says before it aborts for want of memory, and nothing that a worker says is longer.
const OUT_OF_MEMORY: &str = "memory allocation of";
const ERRORS_AT_MOST: u64 = 4096;

/// What one file may cost.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Until the answer.
    pub time: Duration,
    /// Of computing.
    pub cpu: Duration,
    /// Bytes of address space, the program's own included.
    pub memory: u64,
    /// Bytes of text.
    pub text: usize,
    /// Bytes of the file.
    pub file: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            time: Duration::from_mins(1),
            cpu: Duration::from_secs(30),
            memory: 1024 * MIB,
            text: 8 * 1024 * 1024,
            file: 64 * MIB,
        }
    }
}

/// Looks into files, each in a process of its own.
#[derive(Clone, Debug)]
pub struct Inspector {
    program: PathBuf,
    pub limits: Limits,
}

impl Inspector {
    /// `program` is `docuvault`, whose worker it starts.
    pub const fn new(program: PathBuf, limits: Limits) -> Self {
        Self { program, limits }
    }

    /// Starts the program that runs, whatever has become of its file meanwhile.
    pub fn of_this_program() -> Self {
        Self::new("/proc/self/exe".into(), Limits::default())
    }

    /// Looks into a whole file. Fails only when no worker could be started.
    pub async fn inspect(&self, file: File) -> anyhow::Result<Finding> {
        self.run(file, false).await
    }

    /// The type of a file that is too large to be looked into, of its beginning.
    pub async fn type_of(&self, beginning: File) -> anyhow::Result<Finding> {
        let finding = self.run(beginning, true).await?;
        Ok(Finding { text: Err(InspectionRefusal::TooLarge), ..finding })
    }

    async fn run(&self, file: File, type_only: bool) -> anyhow::Result<Finding> {
        let mut command = Command::new(&self.program);
        command
            .arg("inspect-worker")
            .args(["--parent", &std::process::id().to_string()])
            .args(["--cpu", &self.limits.cpu.as_secs().to_string()])
            .args(["--memory", &self.limits.memory.to_string()])
            .args(["--text", &self.limits.text.to_string()])
            .args(type_only.then_some("--type-only"))
            .env_clear()
            .current_dir("/")
            .stdin(file)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let mut worker = command.spawn().context("the inspection worker cannot be started")?;
        let (stdout, stderr) = (worker.stdout.take(), worker.stderr.take());
        let at_most = (self.limits.text + protocol::LINES_AT_MOST) as u64;
        let ended = timeout(self.limits.time, async {
            let (output, errors) = tokio::join!(read(stdout, at_most), read(stderr, ERRORS_AT_MOST));
            (output, errors, worker.wait().await)
        });
        let Ok((output, errors, status)) = ended.await else {
            worker.kill().await?;
            return Ok(finding(&[], InspectionRefusal::TimeLimit));
        };
        Ok(finding(&output, reason(status?, &errors)))
    }
}

/// Up to `at_most` bytes; a writer of more than that is told that nobody reads.
async fn read(from: Option<impl AsyncRead + Unpin>, at_most: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(from) = from {
        // What was read before an error is all that there is.
        let _ = from.take(at_most).read_to_end(&mut bytes).await;
    }
    bytes
}

fn finding(output: &[u8], otherwise: InspectionRefusal) -> Finding {
    let (content_type, text) = protocol::read(output);
    Finding { content_type, text: text.unwrap_or(Err(otherwise)) }
}

/// Why a worker ended without an answer.
fn reason(status: ExitStatus, errors: &[u8]) -> InspectionRefusal {
    match status.signal().and_then(|signal| Signal::try_from(signal).ok()) {
        Some(Signal::SIGXCPU) => InspectionRefusal::TimeLimit,
        // The kernel's last resort when memory is short.
        Some(Signal::SIGKILL) => InspectionRefusal::MemoryLimit,
        _ if String::from_utf8_lossy(errors).contains(OUT_OF_MEMORY) => InspectionRefusal::MemoryLimit,
        _ => InspectionRefusal::Malformed,
    }
}
