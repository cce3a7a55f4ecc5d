//! A database that was restored from a backup, and what the doctor does about it.

use std::path::Path;
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;

use crate::client::Client;
use crate::standalone::vault::{Vault, docuvault, eventually};

const LIMIT: Duration = Duration::from_secs(30);

async fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("--archive").args([from, to]).status().await.unwrap();
    assert!(copied.success());
}

async fn doctor(vault: &Vault, more: &[&str]) -> (Option<i32>, String) {
    let mut command = docuvault();
    command.arg("doctor").args(more).arg("--env-file").arg(vault.env_file());
    let output = command.output().await.unwrap();
    (
        output.status.code(),
        String::from_utf8(output.stdout).unwrap() + &String::from_utf8_lossy(&output.stderr),
    )
}

async fn readiness(ana: &Client) -> Value {
    let origin = ana.origin();
    reqwest::get(format!("{origin}/readyz")).await.unwrap().json().await.unwrap()
}

async fn ready(ana: &Client) {
    eventually(LIMIT, async || readiness(ana).await == json!({ "status": "ready" })).await;
}

/// Waits until NATS has the log.
async fn published(vault: &Vault) {
    let mut database = vault.connect("DATABASE_URL").await.unwrap();
    let done = "SELECT position = (SELECT max(position) FROM events) AND error IS NULL FROM checkpoints WHERE name = 'relay'";
    eventually(LIMIT, async || {
        sqlx::query_scalar(done).fetch_optional(&mut database).await.unwrap().flatten() == Some(true)
    })
    .await;
}

/// Waits until the classifier is done, so that nothing more is appended of itself.
async fn inspected(vault: &Vault, uploads: i64) {
    let mut database = vault.connect("DATABASE_URL").await.unwrap();
    let done = "SELECT count(*) FROM events WHERE event_type = 'DocumentInspected'";
    eventually(LIMIT, async || {
        sqlx::query_scalar::<_, i64>(done).fetch_one(&mut database).await.unwrap() == uploads
    })
    .await;
}

#[tokio::test]
async fn the_doctor_brings_a_restored_vault_back_into_step() {
    let directory = TempDir::new().unwrap();
    let data = directory.path().join("data");
    let vault = Vault::start(&data).await;
    let ana = Client::first_administrator(&vault).await;
    for name in ["1.txt", "2.txt"] {
        ana.upload(name, "text/plain", b"kept").await;
    }
    inspected(&vault, 2).await;
    vault.end_by(Signal::SIGTERM).await;
    copy(&data.join("postgres"), &directory.path().join("backup")).await;

    let vault = Vault::start(&data).await;
    let ana = Client::sign_in(&vault, "ana@example.org").await;
    for name in ["3.txt", "4.txt", "5.txt"] {
        ana.upload(name, "text/plain", b"lost").await;
    }
    published(&vault).await;
    vault.end_by(Signal::SIGTERM).await;
    std::fs::remove_dir_all(data.join("postgres")).unwrap();
    copy(&directory.path().join("backup"), &data.join("postgres")).await;

    let vault = Vault::start(&data).await;
    let ana = Client::sign_in(&vault, "ana@example.org").await;
    let stopped = json!({ "status": "degraded", "degraded": ["relay"] });
    eventually(LIMIT, async || readiness(&ana).await == stopped).await;
    let (code, report) = doctor(&vault, &[]).await;
    assert!(code == Some(1) && report.contains("docuvault doctor --after-restore"), "{report}");
    let cursor = ana.get("/documents?limit=1").await["next_cursor"].as_str().unwrap().to_owned();

    let (code, report) = doctor(&vault, &["--after-restore"]).await;
    assert!(
        code == Some(0) && report.contains("records the restore") && report.contains("NATS is purged"),
        "{report}"
    );
    ready(&ana).await;
    published(&vault).await;
    let (code, again) = doctor(&vault, &["--after-restore"]).await;
    assert!(code == Some(0) && again.contains("already"), "{again}");
    let listed = ana.request(reqwest::Method::GET, &format!("/documents?limit=1&cursor={cursor}"));
    assert_eq!(listed.send().await.unwrap().status(), 410);
    let (code, report) = doctor(&vault, &[]).await;
    assert_eq!(code, Some(0), "{report}");
    let rows = ana.get("/admin/audit?type=log_restored").await;
    assert_eq!(rows["items"].as_array().unwrap().len(), 1, "{rows}");
    ana.upload("6.txt", "text/plain", b"new").await;
    published(&vault).await;
    let replay = Path::new(env!("CARGO_BIN_EXE_docuvault")).with_file_name("docuvault-replay");
    let verified =
        Command::new(replay).arg("verify").arg("--env-file").arg(vault.env_file()).output().await.unwrap();
    assert_eq!(verified.status.code(), Some(0), "{verified:?}");
}
