//! kill -9 of either process: nothing stays behind, nothing committed is lost, and service comes back.

use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use super::vault::{Vault, eventually, server_processes, standalone};

const LIMIT: Duration = Duration::from_secs(30);

#[tokio::test]
async fn a_killed_vault_takes_its_children_along_and_starts_again() {
    let directory = TempDir::new().unwrap();
    let vault = Vault::start(directory.path()).await;
    let mut migrate = vault.connect("DATABASE_MIGRATE_URL").await.unwrap();
    sqlx::raw_sql("CREATE TABLE kept (); INSERT INTO kept DEFAULT VALUES")
        .execute(&mut migrate)
        .await
        .unwrap();

    vault.end_by(Signal::SIGKILL).await;
    eventually(LIMIT, async || server_processes(directory.path()).is_empty()).await;

    let again = Vault::start(directory.path()).await;
    let mut migrate = again.connect("DATABASE_MIGRATE_URL").await.unwrap();
    let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM kept").fetch_one(&mut migrate).await.unwrap();
    assert_eq!(rows, 1);

    // At once: the old server may still be shutting down.
    again.end_by(Signal::SIGKILL).await;
    let third = Vault::start(directory.path()).await;
    assert_eq!(third.end_by(Signal::SIGTERM).await.code(), Some(0));
}

#[tokio::test]
async fn a_first_start_killed_half_way_is_made_good_by_the_next() {
    let directory = TempDir::new().unwrap();
    let unfinished = || {
        let entries = std::fs::read_dir(directory.path()).unwrap().flatten();
        entries
            .filter(|entry| entry.file_name().to_string_lossy().starts_with("postgres.unfinished-"))
            .count()
    };
    let mut child = standalone(directory.path()).spawn().unwrap();
    eventually(LIMIT, async || unfinished() == 1).await;
    child.kill().await.unwrap();

    let vault = Vault::start(directory.path()).await;
    assert!(vault.connect("DATABASE_URL").await.is_ok());
    assert_eq!(unfinished(), 0);
    vault.end_by(Signal::SIGTERM).await;
}

/// F04.
#[tokio::test]
async fn a_killed_postgresql_is_started_again() {
    let directory = TempDir::new().unwrap();
    let vault = Vault::start(directory.path()).await;
    let first = vault.postmaster().unwrap();

    kill(Pid::from_raw(first), Signal::SIGKILL).unwrap();
    eventually(LIMIT, async || {
        vault.postmaster().is_some_and(|pid| pid != first) && vault.connect("DATABASE_URL").await.is_ok()
    })
    .await;

    assert_eq!(vault.end_by(Signal::SIGTERM).await.code(), Some(0));
    assert_eq!(server_processes(directory.path()), Vec::<String>::new());
}
