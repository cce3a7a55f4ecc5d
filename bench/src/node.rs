//! `docuvault` as a process of its own, and what it takes of memory.

use std::path::Path;
use std::process::Stdio;

use anyhow::Context;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

pub(crate) struct Node {
    child: Child,
    /// Kept open: a node that prints into a closed pipe would be told so.
    output: Lines<BufReader<ChildStdout>>,
    /// What it printed before it was ready.
    pub greeting: Vec<String>,
}

impl Node {
    /// Starts `binary` and waits until it is ready.
    pub(crate) async fn start(
        binary: &Path,
        arguments: &[&str],
        environment: &[(String, String)],
    ) -> anyhow::Result<Self> {
        let mut child = Command::new(binary)
            .args(arguments)
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {}", binary.display()))?;
        let output = BufReader::new(child.stdout.take().context("no output")?).lines();
        let mut node = Self { child, output, greeting: Vec::new() };
        while let Some(line) = node.output.next_line().await? {
            if line.starts_with("docuvault ready") {
                return Ok(node);
            }
            node.greeting.push(line);
        }
        anyhow::bail!("{arguments:?} ended before it was ready: {:?}", node.child.wait().await?)
    }

    /// Kills it, and returns when it is gone.
    pub(crate) async fn kill(mut self) -> anyhow::Result<()> {
        Ok(self.child.kill().await?)
    }

    /// Resident memory now, in MB.
    pub(crate) fn resident_mb(&self) -> anyhow::Result<u64> {
        self.memory("VmRSS:")
    }

    /// The most resident memory that it ever had, in MB.
    pub(crate) fn peak_mb(&self) -> anyhow::Result<u64> {
        self.memory("VmHWM:")
    }

    fn memory(&self, kind: &str) -> anyhow::Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id().context("ended")?))?;
        let line = status.lines().find_map(|line| line.strip_prefix(kind)).context("no such figure")?;
        Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? / 1024)
    }
}
