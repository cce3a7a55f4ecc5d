//! Where the objects lie: immutable data files, and one transactional index that says what they are.
//!
//! The index is the only truth. A commit of it makes an object appear, change or vanish as a whole, and
//! because its writers are serialized, conditions checked inside a change hold when it commits.
//! A data file is either used by a part in the index or named in its table of unsettled files, from
//! before it exists until after it is gone; so a start after a crash removes exactly those, and its work
//! doesn't grow with the number of objects.

mod change;
mod failure;
mod incoming;
mod reading;
mod records;

use std::{
    collections::HashMap,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use chrono::{DateTime, Utc};
use redb::{Database, ReadTransaction, ReadableDatabase, ReadableTable};
use tokio::task::spawn_blocking;

pub(super) use self::{
    change::Change,
    failure::Failure,
    incoming::{Incoming, new_id},
    records::{
        About, BUCKETS, OBJECTS, Object, PARTS, Part, UPLOADS, Upload, decode, find_object, find_upload,
    },
};
use self::{reading::Lease, records::UNSETTLED};

/// The current time, given by the caller.
pub type Now = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;

/// Memory for the index's page cache, in bytes.
const INDEX_CACHE: usize = 32 * 1024 * 1024;
/// Data files are spread over this many directories, by the first byte of their name.
const DIRECTORIES: u8 = u8::MAX;
/// So many file names are entered as unsettled at once, so that an upload rarely waits for that.
const NAMES_AT_ONCE: usize = 64;

pub(super) struct Storage {
    index: Database,
    data: PathBuf,
    now: Now,
    /// Names entered as unsettled, whose files don't exist yet.
    spare: Mutex<Vec<String>>,
    /// Names still entered as unsettled, whose files are gone for good.
    gone: Mutex<Vec<String>>,
    /// Contents that are being read, by content id.
    leases: Mutex<HashMap<String, Lease>>,
}

impl Storage {
    /// Opens or creates the storage in `root` and removes what a crash left over.
    pub(super) fn open(root: &Path, now: Now) -> Result<Self, Failure> {
        let data = root.join("data");
        for directory in 0..=DIRECTORIES {
            fs::create_dir_all(data.join(format!("{directory:02x}")))?;
        }
        let index = Database::builder().set_cache_size(INDEX_CACHE).create(root.join("index.redb"))?;
        sync_directory(&data)?;
        sync_directory(root)?;
        let storage = Self {
            index,
            data,
            now,
            spare: Mutex::default(),
            gone: Mutex::default(),
            leases: Mutex::default(),
        };
        storage.recover()?;
        Ok(storage)
    }

    /// Creates the tables, and removes unsettled files.
    fn recover(&self) -> Result<(), Failure> {
        let change = Change::begin(&self.index)?;
        change.create_tables()?;
        change.commit()?;
        let mut left_over = Vec::new();
        for entry in self.index.begin_read()?.open_table(UNSETTLED)?.iter()? {
            left_over.push(entry?.0.value().to_owned());
        }
        self.remove_files(left_over)?;
        self.change(|_| Ok(()))
    }

    pub(super) fn now(&self) -> DateTime<Utc> {
        (self.now)()
    }

    /// Asks the index something, in one snapshot.
    pub(super) async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        ask: impl FnOnce(&ReadTransaction) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let storage = Arc::clone(self);
        spawn_blocking(move || ask(&storage.index.begin_read()?)).await?
    }

    /// Changes the index: everything `make` does commits durably, or nothing does.
    /// A caller that goes away doesn't stop it half-way.
    pub(super) async fn write<T: Send + 'static>(
        self: &Arc<Self>,
        make: impl FnOnce(&mut Change) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let storage = Arc::clone(self);
        spawn_blocking(move || storage.change(make)).await?
    }

    fn change<T>(&self, make: impl FnOnce(&mut Change) -> Result<T, Failure>) -> Result<T, Failure> {
        let mut change = Change::begin(&self.index)?;
        change.forget(std::mem::take(&mut *locked(&self.gone)))?;
        let value = make(&mut change)?;
        for (content, files) in change.commit()? {
            if let Err(error) = self.dispose(&content, files) {
                tracing::warn!(%error, "files of a removed object stay until the next start");
            }
        }
        Ok(value)
    }

    fn path(&self, file: &str) -> PathBuf {
        self.data.join(&file[..2]).join(file)
    }

    /// Removes files that are entered as unsettled; later changes strike out their names.
    fn remove_files(&self, files: Vec<String>) -> io::Result<()> {
        for file in files {
            let path = self.path(&file);
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            path.parent().map_or(Ok(()), sync_directory)?;
            locked(&self.gone).push(file);
        }
        Ok(())
    }
}

/// Makes the names in a directory durable.
fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// A panic while the lock was held can't have left these plain collections half-changed.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
