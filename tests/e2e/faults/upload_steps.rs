//! F01, F03: kill -9 between every two steps of an upload. Locks in the database hold the process at a step; what is
//! acknowledged is there afterwards, and a retry with the same idempotency key gets the first result.

use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};
use tempfile::TempDir;

use crate::client::{Client, announcement, expect};
use crate::replay;
use crate::standalone::vault::{Vault, eventually};

const CONTENT: &[u8] = b"Kept, whatever happens.";
const LIMIT: Duration = Duration::from_secs(30);

/// Where the process is held when it is killed.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// Decided, waiting at the door: nothing is in the log.
    BeforeCommit,
    /// In the log, the read models are held, no answer has been given.
    BeforeAnswer,
}

/// Sends a request that gets stuck at `step`, and kills the vault there.
async fn die_at(step: Step, vault: Vault, client: &Client, path: &str, body: &Value) {
    let mut holder = vault.connect("DATABASE_MIGRATE_URL").await.unwrap();
    let mut watcher = vault.connect("DATABASE_URL").await.unwrap();
    let head = head(&mut watcher).await;
    let mut lock = holder.begin().await.unwrap();
    let statement = match step {
        Step::BeforeCommit => "LOCK TABLE log_gate IN EXCLUSIVE MODE",
        Step::BeforeAnswer => "LOCK TABLE document_listing IN ACCESS EXCLUSIVE MODE",
    };
    sqlx::query(statement).execute(&mut *lock).await.unwrap();
    let request = client.request(Method::POST, path).header("Idempotency-Key", "once").json(body);
    let answer = tokio::spawn(request.send());
    eventually(LIMIT, async || match step {
        Step::BeforeCommit => waits_at_the_gate(&mut watcher).await,
        Step::BeforeAnswer => self::head(&mut watcher).await > head,
    })
    .await;
    if matches!(step, Step::BeforeCommit) {
        // PostgreSQL ends its sessions in any order: the lock's holder before the waiting one, and it would commit.
        kill(Pid::from_raw(vault.pid().try_into().unwrap()), Signal::SIGSTOP).unwrap();
        let end = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE relation = 'log_gate'::regclass AND NOT granted";
        sqlx::query(end).execute(&mut watcher).await.unwrap();
        eventually(LIMIT, async || !waits_at_the_gate(&mut watcher).await).await;
    }
    vault.end_by(Signal::SIGKILL).await;
    assert!(answer.await.unwrap().is_err(), "an answer came before the kill");
}

async fn head(connection: &mut PgConnection) -> i64 {
    sqlx::query_scalar("SELECT coalesce(max(position), 0) FROM events").fetch_one(connection).await.unwrap()
}

async fn waits_at_the_gate(connection: &mut PgConnection) -> bool {
    let waiting =
        "SELECT EXISTS (SELECT FROM pg_locks WHERE relation = 'log_gate'::regclass AND NOT granted)";
    sqlx::query_scalar(waiting).fetch_one(connection).await.unwrap()
}

async fn retry(client: &Client, path: &str, body: &Value, status: u16) -> Value {
    let request = client.request(Method::POST, path).header("Idempotency-Key", "once").json(body);
    expect(request.send().await.unwrap(), status).await
}

async fn restart(directory: &TempDir) -> (Vault, Client) {
    let vault = Vault::start(directory.path()).await;
    let client = Client::sign_in(&vault, "ana@example.org").await;
    (vault, client)
}

#[tokio::test]
async fn an_upload_survives_a_kill_at_each_step() {
    let directory = TempDir::new().unwrap();
    let vault = Vault::start(directory.path()).await;
    let ana = Client::first_administrator(&vault).await;
    let body = announcement("Kept.txt", "text/plain", CONTENT);

    die_at(Step::BeforeCommit, vault, &ana, "/documents", &body).await;
    let (vault, ana) = restart(&directory).await;
    assert_eq!(ana.get("/quota").await["reserved"], 0);
    die_at(Step::BeforeAnswer, vault, &ana, "/documents", &body).await;
    let (vault, ana) = restart(&directory).await;
    assert_eq!(ana.get("/quota").await["reserved"], CONTENT.len());
    let requested = retry(&ana, "/documents", &body, 201).await;
    assert_eq!(ana.get("/quota").await["reserved"], CONTENT.len(), "the retry reserved again");
    assert_eq!(ana.put(&requested["upload"], CONTENT.to_vec()).await, 200);

    let id = requested["document_id"].as_str().unwrap();
    let confirm = format!("/documents/{id}/confirm");
    // The object has been copied to its final key when the confirmation waits at the door.
    die_at(Step::BeforeCommit, vault, &ana, &confirm, &json!({})).await;
    let (vault, ana) = restart(&directory).await;
    assert_eq!(ana.get(&format!("/documents/{id}")).await["status"], "pending");
    die_at(Step::BeforeAnswer, vault, &ana, &confirm, &json!({})).await;
    let (vault, ana) = restart(&directory).await;
    assert_eq!(retry(&ana, &confirm, &json!({}), 200).await["status"], "active");
    assert_eq!(ana.download(id).await, CONTENT);
    let quota = ana.get("/quota").await;
    assert_eq!((&quota["used"], &quota["reserved"]), (&json!(CONTENT.len()), &json!(0)));
    assert_eq!(ana.get("/documents").await["items"].as_array().unwrap().len(), 1);
    replay::assert_sound(&vault).await;

    // The object goes even if the process dies right after the answer.
    ana.delete(&format!("/documents/{id}/permanently")).await;
    vault.end_by(Signal::SIGKILL).await;
    let (vault, ana) = restart(&directory).await;
    assert_eq!(ana.get("/quota").await["used"], 0);
    replay::assert_sound(&vault).await;
    vault.end_by(Signal::SIGTERM).await;
}

/// F04: PostgreSQL dies under load; the vault answers 503 meanwhile and loses nothing it has acknowledged.
#[tokio::test]
async fn acknowledged_documents_survive_the_death_of_postgresql() {
    let directory = TempDir::new().unwrap();
    let vault = Vault::start(directory.path()).await;
    let ana = Client::first_administrator(&vault).await;
    let mut acknowledged = Vec::new();
    for round in 0..3 {
        let first = vault.postmaster().unwrap();
        kill(Pid::from_raw(first), Signal::SIGKILL).unwrap();
        let mut refused = 0;
        eventually(LIMIT, async || {
            let body = announcement(&format!("{round}-{refused}.txt"), "text/plain", CONTENT);
            let response = ana.request(Method::POST, "/documents").json(&body).send().await.unwrap();
            match response.status().as_u16() {
                201 => {
                    let requested: Value = response.json().await.unwrap();
                    acknowledged.push(requested["document_id"].as_str().unwrap().to_owned());
                    true
                }
                status => {
                    assert_eq!(status, 503, "{}", response.text().await.unwrap());
                    refused += 1;
                    false
                }
            }
        })
        .await;
    }
    for id in &acknowledged {
        eventually(LIMIT, async || {
            let found = ana.request(Method::GET, &format!("/documents/{id}")).send().await.unwrap();
            found.status() == 200
        })
        .await;
    }
    replay::assert_sound(&vault).await;
    vault.end_by(Signal::SIGTERM).await;
}
