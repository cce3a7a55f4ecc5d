//! Makes the cluster: in a directory beside its place, so that DATA/postgres is complete from its first moment.

use std::fs::{File, Permissions};
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use anyhow::Context;

use crate::private_file::sync_parent;
use crate::standalone::data_directory::DataDirectory;
use crate::standalone::env_file::random_secret;

use super::connect::{PASSWORD_FILE, SUPERUSER};
use super::launch::{self, Launch};
use super::log_file;

const UNFINISHED: &str = "postgres.unfinished-";

/// Runs initdb. The superuser's password stays beside the cluster, for its owner alone.
pub(super) async fn run(data: &DataDirectory, programs: &Path) -> anyhow::Result<Launch> {
    tracing::info!("making a new PostgreSQL cluster");
    let unfinished = tempfile::Builder::new()
        .prefix(UNFINISHED)
        .permissions(Permissions::from_mode(0o700))
        .tempdir_in(data.root())?;
    let directory = unfinished.path();
    let password_file = directory.join(PASSWORD_FILE);
    let mut password = File::options().write(true).create_new(true).mode(0o600).open(&password_file)?;
    password.write_all(random_secret()?.as_bytes())?;
    password.sync_all()?;
    launch::hand_over(&[directory, &password_file])?;

    let launch = Launch::choose(directory).await?;
    let seen_as = launch.seen_as(directory);
    let mut initdb = launch.command(directory, &programs.join("initdb"));
    initdb.arg("--pgdata").arg(seen_as.join("data")).arg("--pwfile").arg(seen_as.join(PASSWORD_FILE));
    initdb.args([
        "--username",
        SUPERUSER,
        "--auth",
        "scram-sha-256",
        "--data-checksums",
        "--no-instructions",
    ]);
    initdb.args(["--encoding", "UTF8", "--locale", "C"]);
    let log = log_file::open(&data.postgres_log())?;
    initdb.stdout(log.try_clone()?).stderr(log);
    let status = launch::spawn(&mut initdb)?.wait().await?;
    if !status.success() {
        anyhow::bail!("initdb ended with {status}; it says:\n{}", log_file::tail(&data.postgres_log()));
    }
    std::fs::rename(unfinished.keep(), data.postgres())
        .context("cannot move the new cluster to its place")?;
    sync_parent(&data.postgres())?;
    Ok(launch)
}

/// Best effort: what a killed start left has a name that no other start uses.
pub(super) fn remove_unfinished(data: &DataDirectory) {
    let Ok(entries) = std::fs::read_dir(data.root()) else { return };
    for entry in entries.flatten() {
        if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}
