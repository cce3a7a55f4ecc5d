//! A process's own idea of the time, by libfaketime (Debian: `faketime`): the wall clock only, as when somebody sets it.

use std::path::{Path, PathBuf};


#[derive(Clone)]
pub(crate) struct WallClock(PathBuf);

impl WallClock {
    /// `None` where the library is not installed.
    pub(crate) fn of(name: &str, directory: &Path) -> Option<Self> {
        let clock = Self(directory.join(format!("{name}.clock")));
        library().exists().then(|| {
            clock.skew(0);
            clock
        })
    }

    /// From now on it goes this many seconds fast.
    pub(crate) fn skew(&self, seconds: i64) {
        std::fs::write(&self.0, format!("{seconds:+}\n")).unwrap();
    }

    /// The words before a program that shall go by this clock. The library is not for what comes earlier on the command
    /// line: what `setpriv` makes as root, PostgreSQL's user could not use.
    pub(super) fn before(&self) -> Vec<String> {
        let library = format!("LD_PRELOAD={}", library().display());
        let file = format!("FAKETIME_TIMESTAMP_FILE={}", self.0.display());
        let fixed = ["FAKETIME_CACHE_DURATION=1", "FAKETIME_DONT_FAKE_MONOTONIC=1", "NO_FAKE_STAT=1"];
        ["env".to_owned(), library, file].into_iter().chain(fixed.map(ToOwned::to_owned)).collect()
    }

    /// Removes what the library leaves behind of processes that were killed.
    pub(super) fn tidy() {
        for left in std::fs::read_dir("/dev/shm").unwrap().flatten() {
            let name = left.file_name().to_string_lossy().into_owned();
            let process = name.strip_prefix("sem.faketime_sem_").or(name.strip_prefix("faketime_shm_"));
            if process.is_some_and(|process| !Path::new("/proc").join(process).exists()) {
                drop(std::fs::remove_file(left.path()));
            }
        }
    }
}

/// Where Debian puts it.
fn library() -> PathBuf {
    format!("/usr/lib/{}-linux-gnu/faketime/libfaketime.so.1", std::env::consts::ARCH).into()
}
