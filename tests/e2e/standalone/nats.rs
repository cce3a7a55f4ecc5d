//! The nats-server of a standalone vault: what is refused, and that its death hurts nobody.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::vault::{Vault, docuvault, eventually, refusal, standalone};
use crate::client::{Client, announcement};

const LIMIT: Duration = Duration::from_secs(30);

#[tokio::test]
async fn a_missing_or_older_nats_server_is_refused_by_name() {
    let directory = TempDir::new().unwrap();
    let mut command = standalone(&directory.path().join("data"));
    command.env("DOCUVAULT_NATS_SERVER", "/nowhere/nats-server");
    let message = refusal(command).await;
    assert!(message.contains("/nowhere/nats-server") && message.contains("what to do: install"), "{message}");

    let old = directory.path().join("old-nats-server");
    std::fs::write(&old, "#!/bin/sh\necho 'nats-server: v2.9.10'\n").unwrap();
    std::fs::set_permissions(&old, std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = standalone(&directory.path().join("data"));
    command.env("DOCUVAULT_NATS_SERVER", &old);
    let message = refusal(command).await;
    assert!(message.contains("old-nats-server is nats-server 2.9.10, which is older than 2.12"), "{message}");
    assert!(!directory.path().join("data").exists());
}

/// The process that listens where `NATS_URL` says, found by its command line.
fn server(vault: &Vault) -> Option<Pid> {
    let url = vault.env()["NATS_URL"].clone();
    let port = url.rsplit(':').next().unwrap().to_owned();
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let mut found = processes.filter_map(|process| {
        let line = std::fs::read(process.path().join("cmdline")).ok()?;
        let words: Vec<_> = line.split(|byte| *byte == 0).map(String::from_utf8_lossy).collect();
        let ours = words[0].ends_with("nats-server") && words.iter().any(|word| *word == port);
        ours.then(|| process.file_name().to_string_lossy().parse().ok().map(Pid::from_raw)).flatten()
    });
    found.next()
}

async fn readiness(ana: &Client) -> Value {
    let origin = ana.origin();
    reqwest::get(format!("{origin}/readyz")).await.unwrap().json().await.unwrap()
}

/// F05: it is killed while people work, with all that it has stored; it comes back, and so does what it had.
#[tokio::test]
async fn a_killed_nats_server_is_started_again_and_refilled() {
    let directory = TempDir::new().unwrap();
    let vault = Vault::start(directory.path()).await;
    let ana = Client::first_administrator(&vault).await;
    let first = server(&vault).expect("a nats-server");
    std::fs::remove_dir_all(directory.path().join("nats")).unwrap();
    kill(first, Signal::SIGKILL).unwrap();
    let body = announcement("Meanwhile.txt", "text/plain", b"hello");
    let created = ana.request(Method::POST, "/documents").json(&body).send().await.unwrap();
    assert_eq!(created.status(), 201);

    eventually(LIMIT, async || server(&vault).is_some_and(|pid| pid != first)).await;
    let mut database = vault.connect("DATABASE_URL").await.unwrap();
    eventually(LIMIT, async || {
        let caught_up =
            "SELECT position = (SELECT max(position) FROM events) AND error IS NULL FROM checkpoints
                         WHERE name = 'relay'";
        sqlx::query_scalar(caught_up).fetch_one(&mut database).await.unwrap()
    })
    .await;
    eventually(LIMIT, async || readiness(&ana).await == json!({ "status": "ready" })).await;
    let mut doctor = docuvault();
    doctor.arg("doctor").arg("--env-file").arg(vault.env_file());
    let report = doctor.output().await.unwrap();
    let told = String::from_utf8(report.stdout).unwrap();
    assert_eq!(report.status.code(), Some(0), "{told}");
    assert!(told.contains("holds the log up to position"), "{told}");

    let second = server(&vault).unwrap();
    vault.end_by(Signal::SIGKILL).await;
    eventually(LIMIT, async || kill(second, None).is_err()).await;
}
