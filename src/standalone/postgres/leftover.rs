//! A PostgreSQL whose docuvault was killed shuts down by itself, but may still be at it. This waits for it, and
//! ends it when the kernel's signal was missed. A stale postmaster.pid is none of our concern: PostgreSQL checks.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use nix::sys::signal::kill;
use nix::unistd::Pid;
use tokio::time::{sleep, timeout};

use super::ENDINGS;

const POLL: Duration = Duration::from_millis(20);

/// Returns when no server works in `postgres`. The caller holds the data directory's lock, so one that does
/// belongs to nobody.
pub(super) async fn end(postgres: &Path) {
    for (signal, patience) in ENDINGS {
        let Some(pid) = running(postgres) else { return };
        tracing::info!("waiting for the PostgreSQL of an earlier run to end");
        // An error means that it has just ended.
        let _ = kill(pid, signal);
        let ended = async {
            while running(postgres).is_some() {
                sleep(POLL).await;
            }
        };
        if timeout(patience, ended).await.is_ok() {
            return;
        }
    }
}

/// The process named in postmaster.pid, if it works in this very directory: its number may have gone to a stranger.
fn running(postgres: &Path) -> Option<Pid> {
    let directory = postgres.join("data");
    let content = std::fs::read_to_string(directory.join("postmaster.pid")).ok()?;
    let pid: i32 = content.lines().next()?.trim().parse().ok()?;
    let identity = |path: &Path| std::fs::metadata(path).map(|found| (found.dev(), found.ino())).ok();
    let works_in = identity(Path::new(&format!("/proc/{pid}/cwd")))?;
    (identity(&directory)? == works_in).then(|| Pid::from_raw(pid))
}
