//! A `docuvault standalone` process under test.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Output, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sqlx::{Connection, PgConnection};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::{MissedTickBehavior, interval, timeout};

const START_LIMIT: Duration = Duration::from_mins(1);

pub(crate) struct Vault {
    data: PathBuf,
    child: Child,
    stdout: Lines<BufReader<ChildStdout>>,
    /// The last line before the process answered.
    pub(crate) ready_line: String,
    /// The token of the setup link, if one was printed.
    pub(crate) setup_token: Option<String>,
}

/// The command line on `data`, at free ports.
pub(crate) fn standalone(data: &Path) -> Command {
    let mut command = docuvault();
    command.arg("standalone").arg("--data").arg(data).args(["--listen", "127.0.0.1:0"]);
    command
}

/// The binary, without what the caller's environment says about vaults.
pub(crate) fn docuvault() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_docuvault"));
    let theirs = |name: &str| {
        ["DOCUVAULT_", "DATABASE_", "HIBP_", "NATS_", "S3_", "SMTP_"]
            .iter()
            .any(|prefix| name.starts_with(prefix))
    };
    for (name, _) in std::env::vars().filter(|(name, _)| theirs(name)) {
        command.env_remove(name);
    }
    command.kill_on_drop(true).stdin(Stdio::null());
    command
}

/// Runs a command that should refuse, and returns its stderr.
pub(crate) async fn refusal(mut command: Command) -> String {
    let Output { status, stderr, .. } = timeout(START_LIMIT, command.output()).await.unwrap().unwrap();
    let stderr = String::from_utf8(stderr).unwrap();
    assert_eq!(status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("error: "), "{stderr}");
    stderr
}

impl Vault {
    pub(crate) async fn start(data: &Path) -> Self {
        Self::spawn(data, standalone(data)).await
    }

    /// Returns when the process says that it is ready.
    pub(crate) async fn spawn(data: &Path, mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut setup_token = None;
        let ready_line = timeout(START_LIMIT, async {
            loop {
                let line = stdout.next_line().await.unwrap().expect("the vault ended before it was ready");
                if let Some((_, token)) = line.split_once("/setup#token=") {
                    setup_token = Some(token.trim().to_owned());
                }
                if line.starts_with("docuvault ready at ") {
                    return line;
                }
            }
        })
        .await
        .unwrap();
        Self { data: data.to_owned(), child, stdout, ready_line, setup_token }
    }

    pub(crate) fn env_file(&self) -> PathBuf {
        self.data.join("env")
    }

    pub(crate) fn env(&self) -> BTreeMap<String, String> {
        let text = std::fs::read_to_string(self.env_file()).unwrap();
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        lines.map(|line| line.split_once('=').unwrap()).map(|(k, v)| (k.to_owned(), v.to_owned())).collect()
    }

    /// Where `/metrics` is served: a comment in DATA/env.
    pub(crate) fn metrics_address(&self) -> String {
        let text = std::fs::read_to_string(self.env_file()).unwrap();
        text.lines().find_map(|line| line.strip_prefix("# DOCUVAULT_METRICS_LISTEN=")).unwrap().to_owned()
    }

    pub(crate) async fn connect(&self, variable: &str) -> sqlx::Result<PgConnection> {
        PgConnection::connect(&self.env()[variable]).await
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id().unwrap()
    }

    pub(crate) fn postmaster(&self) -> Option<i32> {
        let path = self.data.join("postgres/data/postmaster.pid");
        std::fs::read_to_string(path).ok()?.lines().next()?.parse().ok()
    }

    /// Sends a signal and returns how the process ended. Ports and pipes are closed by then.
    pub(crate) async fn end_by(mut self, signal: Signal) -> ExitStatus {
        kill(Pid::from_raw(self.pid().try_into().unwrap()), signal).unwrap();
        let status = timeout(START_LIMIT, self.child.wait()).await.unwrap().unwrap();
        assert_eq!(self.stdout.next_line().await.unwrap(), None);
        status
    }
}

/// PostgreSQL processes that work in `data`, whoever their parent is.
pub(crate) fn server_processes(data: &Path) -> Vec<String> {
    let identity = |path: &Path| std::fs::metadata(path).map(|found| (found.dev(), found.ino())).ok();
    let Some(cluster) = identity(&data.join("postgres/data")) else { return Vec::new() };
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    processes
        .filter(|process| identity(&process.path().join("cwd")) == Some(cluster))
        .map(|process| process.file_name().to_string_lossy().into_owned())
        .collect()
}

/// Waits until the condition holds.
pub(crate) async fn eventually(limit: Duration, mut condition: impl AsyncFnMut() -> bool) {
    let mut ticks = interval(Duration::from_millis(20));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let held = timeout(limit, async {
        while !condition().await {
            ticks.tick().await;
        }
    });
    held.await.expect("the condition never held");
}
