//! The one directory that a standalone vault writes to, held by one process at a time.

use std::fs::{DirBuilder, File, Metadata, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use anyhow::Context;
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use crate::failure::Failure;

const LOCK: &str = "lock";

/// An existing directory, locked until this value goes (the kernel unlocks it after kill -9 as well).
pub(super) struct DataDirectory {
    root: PathBuf,
    /// Made by this start.
    is_new: bool,
    _lock: Flock<File>,
}

impl DataDirectory {
    /// Makes the directory when it is absent, and locks it.
    pub(super) fn open(path: &Path) -> anyhow::Result<Self> {
        let is_new = make(path).map_err(|error| unusable(path, &error))?;
        let root = path.canonicalize().map_err(|error| unusable(path, &error))?;
        if root.to_str().is_none_or(|text| text.contains('\n')) {
            let remedy = "choose a path in UTF-8 and without line breaks with --data";
            return Err(
                Failure::new("the data directory's path cannot be written to DATA/env", remedy).into()
            );
        }
        let lock = lock(&root)?;
        Ok(Self { root, is_new, _lock: lock })
    }

    /// Leaves nothing behind where there was nothing: for a start that is refused before a vault was made.
    pub(super) fn abandon(self) {
        let empty_but_for_lock = std::fs::read_dir(&self.root)
            .is_ok_and(|entries| entries.flatten().all(|one| one.file_name() == LOCK));
        if !empty_but_for_lock {
            return;
        }
        // What cannot be tidied up is harmless.
        drop(std::fs::remove_file(self.root.join(LOCK)));
        if self.is_new {
            drop(std::fs::remove_dir(&self.root));
        }
    }

    /// The absolute path.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn env_file(&self) -> PathBuf {
        self.root.join("env")
    }

    pub(super) fn postgres(&self) -> PathBuf {
        self.root.join("postgres")
    }

    pub(super) fn postgres_log(&self) -> PathBuf {
        self.root.join("postgres.log")
    }

    /// What nats-server keeps: all of it can be made again from the log.
    pub(super) fn nats(&self) -> PathBuf {
        self.root.join("nats")
    }

    pub(super) fn nats_log(&self) -> PathBuf {
        self.root.join("nats.log")
    }

    /// Where mails go while `SMTP_URL` is not set.
    pub(super) fn mail(&self) -> PathBuf {
        self.root.join("mail")
    }

    /// Where the S3 endpoint keeps everything.
    pub(super) fn objects(&self) -> PathBuf {
        self.root.join("objects")
    }

    pub(super) fn master_key(&self) -> PathBuf {
        self.root.join("keys").join("master.key")
    }
}

/// Others may pass through (PostgreSQL's user must), but list nothing; what is secret has a mode of its own. Says
/// whether it was not there before.
fn make(path: &Path) -> std::io::Result<bool> {
    if path.is_dir() {
        return Ok(false);
    }
    DirBuilder::new().recursive(true).mode(0o711).create(path).map(|()| true)
}

fn lock(root: &Path) -> anyhow::Result<Flock<File>> {
    let path = root.join(LOCK);
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(&path)
        .map_err(|error| unusable(root, &error))?;
    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        // A refused start took the file away between the two steps: this lock would hold nobody off.
        Ok(lock) if !is_at(&lock, &path) => {
            drop(lock);
            self::lock(root)
        }
        Ok(mut lock) => {
            lock.set_len(0)?;
            write!(lock, "{}", std::process::id()).context("cannot write the lock file")?;
            Ok(lock)
        }
        Err((mut file, Errno::EWOULDBLOCK)) => {
            let mut pid = String::new();
            file.read_to_string(&mut pid)?;
            let shown = root.display();
            let problem = format!("data directory {shown} is in use by a running docuvault (pid {pid})");
            Err(Failure::new(problem, "stop that one, or choose another directory with --data").into())
        }
        Err((_, errno)) => Err(errno).with_context(|| format!("cannot lock {}", path.display())),
    }
}

fn is_at(file: &File, path: &Path) -> bool {
    let inode = |found: std::io::Result<Metadata>| found.map(|found| (found.dev(), found.ino())).ok();
    inode(file.metadata()) == inode(path.metadata())
}

fn unusable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(
        format!("cannot use data directory {}: {error}", path.display()),
        "choose a directory that you may write to with --data",
    )
}
