//! A disk so small that a test can fill it: a tmpfs that only its own processes see.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use nix::unistd::geteuid;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Child;

use super::process::bound_to_us;

/// Every Linux system has it (FHS), and only the processes on the disk see what is mounted over it.
const MOUNT_POINT: &str = "/mnt";
const MOUNT: &str = "mount -t tmpfs -o size=$1,mode=0755 tmpfs /mnt && echo mounted && exec sleep infinity";
const PIECE: usize = 64 * 1024;

/// Lives as long as the process that holds its mount namespace.
pub(crate) struct Disk {
    holder: Child,
}

impl Disk {
    /// `None`, and a message that says why, where this machine does not let us mount.
    pub(crate) async fn of(size: &str) -> Option<Self> {
        if !geteuid().is_root() {
            say("the small disk needs root: this fault is left out");
            return None;
        }
        let mut command = bound_to_us();
        command.args(["unshare", "--mount", "sh", "-c", MOUNT, "sh", size]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut holder = command.spawn().unwrap();
        let mut said = BufReader::new(holder.stdout.take().unwrap()).lines();
        if said.next_line().await.unwrap().as_deref() != Some("mounted") {
            say("this machine does not let us mount a small disk: this fault is left out");
            return None;
        }
        Some(Self { holder })
    }

    /// Where processes on the disk find a directory of it.
    pub(crate) fn seen_from_inside(name: &str) -> PathBuf {
        Path::new(MOUNT_POINT).join(name)
    }

    /// The same directory, for us.
    pub(crate) fn seen_from_outside(&self, name: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root{MOUNT_POINT}", self.holder.id().unwrap())).join(name)
    }

    /// The arguments of `nsenter` before a program that shall run on the disk.
    pub(super) fn enter(&self) -> [String; 2] {
        [format!("--mount=/proc/{}/ns/mnt", self.holder.id().unwrap()), "--".to_owned()]
    }

    /// Takes all the space there is.
    pub(crate) fn fill(&self) {
        let mut filler = File::options().create(true).append(true).open(self.filler()).unwrap();
        let piece = vec![0; PIECE];
        loop {
            if let Err(error) = filler.write(&piece) {
                assert_eq!(error.kind(), ErrorKind::StorageFull, "{error}");
                return;
            }
        }
    }

    pub(crate) fn make_room(&self) {
        drop(std::fs::remove_file(self.filler()));
    }

    fn filler(&self) -> PathBuf {
        self.seen_from_outside("filler")
    }
}

#[expect(clippy::print_stderr, reason = "whoever runs the tests should know what was not tested")]
fn say(message: &str) {
    eprintln!("{message}");
}
