//! `docuvault projections` as an operator runs it, beside a vault at work.

use std::process::Output;
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::client::Client;
use crate::replay::assert_sound;
use crate::standalone::vault::{Vault, docuvault, eventually, refusal};

async fn projections(vault: &Vault, arguments: &[&str]) -> Output {
    let mut command = docuvault();
    command.arg("projections").args(arguments).arg("--env-file").arg(vault.env_file());
    command.output().await.unwrap()
}

/// Stdout of a command that works, as JSON.
async fn json(vault: &Vault, arguments: &[&str]) -> Value {
    let output = projections(vault, &[arguments, &["--format", "json"]].concat()).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

async fn refused(vault: &Vault, arguments: &[&str]) -> String {
    let mut command = docuvault();
    command.arg("projections").args(arguments).arg("--env-file").arg(vault.env_file());
    refusal(command).await
}

#[tokio::test]
async fn an_operator_lists_rebuilds_and_verifies_read_models() {
    let directory = TempDir::new().unwrap();
    let vault = Vault::start(directory.path()).await;
    let owner = Client::first_administrator(&vault).await;
    owner.upload("a.txt", "text/plain", b"hello").await;

    let listed = json(&vault, &["list"]).await;
    let listing = listed.as_array().unwrap().iter().find(|one| one["name"] == "document_listing").unwrap();
    assert_eq!((&listing["version"], &listing["lag"]), (&json!(1), &json!(0)));
    assert_eq!((&listing["state"], &listing["progress"]), (&json!("running"), &Value::Null));

    let rebuilt = json(&vault, &["rebuild", "document_listing"]).await;
    // The classifier may have added something meanwhile.
    assert!(rebuilt["position"].as_i64() >= listing["position"].as_i64(), "{rebuilt} {listing}");
    assert_eq!(owner.get("/documents").await["items"].as_array().unwrap().len(), 1);
    owner.upload("b.txt", "text/plain", b"hello again").await;
    assert_eq!(owner.get("/documents").await["items"].as_array().unwrap().len(), 2);
    assert_eq!(json(&vault, &["verify", "document_listing"]).await["equal"], true);

    // A rebuild whose driver is killed: its lease outlives it, the next one takes it up or sees a projector do it.
    let mut database = vault.connect("DATABASE_URL").await.unwrap();
    let dead = "SELECT begin_rebuild('quota_usage', 1, gen_random_uuid())";
    sqlx::query(dead).execute(&mut database).await.unwrap();
    json(&vault, &["rebuild", "quota_usage"]).await;
    assert_eq!(json(&vault, &["verify", "quota_usage"]).await["equal"], true);

    // Left to the projector, and a second one meanwhile.
    assert!(projections(&vault, &["rebuild", "user_directory", "--detach"]).await.status.success());
    eventually(Duration::from_mins(1), async || {
        let listed = json(&vault, &["list"]).await;
        listed.as_array().unwrap().iter().all(|one| one["progress"].is_null())
    })
    .await;
    assert_sound(&vault).await;

    let damage = "UPDATE quota_usage SET used = used + 1";
    sqlx::query(damage).execute(&mut database).await.unwrap();
    assert_eq!(projections(&vault, &["verify", "quota_usage"]).await.status.code(), Some(1));
    json(&vault, &["rebuild", "quota_usage"]).await;
    assert_eq!(projections(&vault, &["verify", "quota_usage"]).await.status.code(), Some(0));

    assert!(refused(&vault, &["rebuild", "nothing"]).await.contains("document_listing"));
    assert!(refused(&vault, &["cancel", "quota_usage"]).await.contains("is not being rebuilt"));
    let skip = ["skip", "quota_usage", "1", "--reason", "no reason"];
    assert!(refused(&vault, &skip).await.contains("is not stopped"));
    assert!(projections(&vault, &["prepare"]).await.status.success());

    let metrics = reqwest::get(format!("http://{}/metrics", vault.metrics_address())).await.unwrap();
    let metrics = metrics.text().await.unwrap();
    for name in ["document_listing", "object_deletion"] {
        assert!(
            metrics.contains(&format!("docuvault_subscription_lag_events{{name=\"{name}\"}} ")),
            "{metrics}"
        );
        assert!(
            metrics.contains(&format!("docuvault_subscription_stopped{{name=\"{name}\"}} 0")),
            "{metrics}"
        );
    }
    vault.end_by(Signal::SIGTERM).await;
}
