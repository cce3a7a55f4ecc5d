//! A data file that is being written and that nothing uses yet. Dropped unsettled, it is removed.

use std::{
    fs::File,
    io::{self, Write},
    sync::Arc,
};

use tokio::task::spawn_blocking;

use super::{Failure, NAMES_AT_ONCE, Storage, locked, sync_directory};

pub(in crate::standalone::s3) struct Incoming {
    storage: Arc<Storage>,
    name: String,
    file: File,
    settled: bool,
}

impl Storage {
    pub(in crate::standalone::s3) async fn create_file(self: &Arc<Self>) -> Result<Incoming, Failure> {
        let storage = Arc::clone(self);
        spawn_blocking(move || {
            let name = storage.spare_name()?;
            let file = File::create_new(storage.path(&name))?;
            Ok(Incoming { storage, name, file, settled: false })
        })
        .await?
    }

    /// A new name, durably entered as unsettled.
    fn spare_name(&self) -> Result<String, Failure> {
        if let Some(name) = locked(&self.spare).pop() {
            return Ok(name);
        }
        let names: Vec<String> = (0..NAMES_AT_ONCE).map(|_| new_id()).collect();
        self.change(|change| change.announce(&names))?;
        let mut spare = locked(&self.spare);
        spare.extend(names);
        Ok(spare.pop().unwrap_or_default())
    }
}

/// 128 random bits in hex: the id of a data file or a content.
pub(in crate::standalone::s3) fn new_id() -> String {
    format!("{:032x}", rand::random::<u128>())
}

impl Incoming {
    pub(in crate::standalone::s3) fn name(&self) -> &str {
        &self.name
    }

    pub(in crate::standalone::s3) fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)
    }

    /// Makes the bytes and the name durable.
    pub(in crate::standalone::s3) fn sync(&self) -> io::Result<()> {
        self.file.sync_all()?;
        self.storage.path(&self.name).parent().map_or(Ok(()), sync_directory)
    }

    pub(super) fn settle(&mut self) {
        self.settled = true;
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        if !self.settled
            && let Err(error) = self.storage.remove_files(vec![std::mem::take(&mut self.name)])
        {
            tracing::warn!(%error, "a file of a refused upload stays until the next start");
        }
    }
}
