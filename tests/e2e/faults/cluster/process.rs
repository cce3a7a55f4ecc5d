//! A process under supervision: started again whenever it ends, as an init system would do, until it is held down.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::Command;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::standalone::vault::eventually;

const RESTART_AFTER: Duration = Duration::from_millis(300);
const END_LIMIT: Duration = Duration::from_secs(30);
/// No process.
const NONE: i32 = 0;

pub(crate) struct Process {
    pub(crate) name: String,
    log: PathBuf,
    pid: Arc<AtomicI32>,
    held: watch::Sender<bool>,
    supervisor: JoinHandle<()>,
}

impl Process {
    /// Starts what `command` says, and again after each end. Output goes to `<logs>/<name>.log`.
    pub(crate) fn supervise(
        name: &str,
        logs: &Path,
        mut command: impl FnMut() -> Command + Send + 'static,
    ) -> Self {
        let log = logs.join(format!("{name}.log"));
        let pid = Arc::new(AtomicI32::new(NONE));
        let (held, mut may_run) = watch::channel(false);
        let supervisor = {
            let (pid, log) = (pid.clone(), log.clone());
            tokio::spawn(async move {
                while may_run.wait_for(|held| !held).await.is_ok() {
                    let output = File::options().create(true).append(true).open(&log).unwrap();
                    let mut command = command();
                    command.stdout(output.try_clone().unwrap()).stderr(output).kill_on_drop(true);
                    let mut child = command.spawn().unwrap();
                    pid.store(child.id().unwrap().try_into().unwrap(), Ordering::SeqCst);
                    child.wait().await.unwrap();
                    pid.store(NONE, Ordering::SeqCst);
                    tokio::time::sleep(RESTART_AFTER).await;
                }
            })
        };
        Self { name: name.to_owned(), log, pid, held, supervisor }
    }

    /// Sends a signal; false when there is no process just now.
    pub(crate) fn signal(&self, signal: Signal) -> bool {
        let pid = self.pid.load(Ordering::SeqCst);
        pid != NONE && kill(Pid::from_raw(pid), signal).is_ok()
    }

    /// A process that is held is not started again after its end.
    pub(crate) fn hold(&self, held: bool) {
        self.held.send_replace(held);
    }

    /// Ends it for good, or until [`Self::hold`] is taken back.
    pub(crate) async fn end_by(&self, signal: Signal) {
        self.hold(true);
        self.signal(signal);
        eventually(END_LIMIT, async || self.pid.load(Ordering::SeqCst) == NONE).await;
    }

    /// All that it has written.
    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The child goes with the task (`kill_on_drop`).
        self.supervisor.abort();
    }
}

/// The beginning of a command that ends with the thread that started it, whatever becomes of that.
pub(crate) fn bound_to_us() -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]);
    command
}

/// A port of 127.0.0.1 that no outgoing connection will take while its server is down: below the ephemeral ones.
pub(crate) fn free_port() -> u16 {
    let free = |port: &u16| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok();
    std::iter::repeat_with(|| rand::random_range(20_000..32_000)).find(free).unwrap()
}
