//! `docuvault serve --roles`: several processes on one PostgreSQL, NATS and S3 store, those of a standalone vault.

use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::client::{Client, announcement};
use crate::standalone::vault::{Vault, docuvault, refusal};

const LIMIT: Duration = Duration::from_mins(1);

fn serve(vault: &Vault, roles: &str) -> Command {
    let mut command = docuvault();
    command.args(["serve", "--roles", roles, "--env-file"]).arg(vault.env_file());
    command
}

/// Returns when the process says that it is ready, with what it says.
async fn start(mut command: Command) -> (Child, String) {
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let ready = timeout(LIMIT, async {
        loop {
            let line = lines.next_line().await.unwrap().expect("it ended before it was ready");
            if line.starts_with("docuvault ready") {
                return line;
            }
        }
    });
    (child, ready.await.unwrap())
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[tokio::test]
async fn an_unknown_role_is_refused_with_those_that_there_are() {
    let mut command = docuvault();
    command.args(["serve", "--roles", "api,cook"]);
    let message = refusal(command).await;
    assert!(message.contains("cook"), "{message}");
    for role in ["api", "relay", "projector", "notary", "audit", "classifier", "notifier", "sweeper"] {
        assert!(message.contains(role), "{message}");
    }
}

#[tokio::test]
async fn what_one_process_writes_another_reads() {
    let directory = TempDir::new().unwrap();
    let vault = Vault::start(directory.path()).await;
    let ana = Client::first_administrator(&vault).await;

    let (api, metrics) = (free_port(), free_port());
    let mut second = serve(&vault, "api");
    second.env("DOCUVAULT_LISTEN", format!("127.0.0.1:{api}"));
    let (_second, _) = start(second).await;
    let mut workers = serve(&vault, "relay,projector,notary,audit,classifier,notifier,sweeper");
    workers.env("DOCUVAULT_METRICS_LISTEN", format!("127.0.0.1:{metrics}"));
    let (_workers, ready) = start(workers).await;
    assert_eq!(ready, "docuvault ready as relay, projector, notary, audit, classifier, notifier, sweeper");
    for path in ["healthz", "readyz", "metrics"] {
        let answer = reqwest::get(format!("http://127.0.0.1:{metrics}/{path}")).await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
    }

    let there = ana.at(&format!("http://127.0.0.1:{api}"));
    for round in 0..5 {
        let body = announcement(&format!("{round}.txt"), "text/plain", b"hello");
        let requested = there.post("/documents", &body, 201).await;
        let id = requested["document_id"].as_str().unwrap();
        assert_eq!(ana.get(&format!("/documents/{id}")).await["status"], "pending");
    }
    assert_eq!(there.get("/documents?status=pending").await["items"].as_array().unwrap().len(), 5);
    assert_eq!(there.get("/quota").await["reserved"], json!(25));
    vault.end_by(Signal::SIGTERM).await;
}
