//! `docker-compose.yml` read as Compose reads it: no engine is needed to see that its parts fit the product.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Stdio;

use clap::ValueEnum;
use docuvault::roles::ProcessRole;
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

fn read(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

fn compose() -> Value {
    serde_saphyr::from_str(&read("docker-compose.yml")).unwrap()
}

fn strings(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|item| item.as_str().unwrap()).collect()
}

/// The names in `${NAME}` and `${NAME:-default}`: those that need a value, and those that have a default.
fn interpolated(text: &str) -> (BTreeSet<&str>, BTreeSet<&str>) {
    let names = text.split("${").skip(1).map(|rest| rest.split('}').next().unwrap());
    let (with, without): (Vec<_>, Vec<_>) = names.partition(|name| name.contains(":-"));
    (without.into_iter().collect(), with.into_iter().map(|name| name.split(":-").next().unwrap()).collect())
}

#[test]
fn every_role_runs_and_every_part_is_there() {
    let compose = compose();
    let services = compose["services"].as_object().unwrap();
    let mut roles = BTreeSet::new();
    for (name, service) in services {
        assert!(service["image"].is_string(), "{name} has no image");
        if let Some(volumes) = service["volumes"].as_array() {
            for volume in volumes {
                let source = volume.as_str().unwrap().split(':').next().unwrap();
                let known = if source.starts_with("./deploy/secrets") {
                    true
                } else if source.starts_with("./") {
                    Path::new(env!("CARGO_MANIFEST_DIR")).join(source).exists()
                } else {
                    compose["volumes"].as_object().unwrap().contains_key(source)
                };
                assert!(known, "{name} mounts {source}, which nobody makes");
            }
        }
        let command = service["command"].as_array().map(|_| strings(&service["command"])).unwrap_or_default();
        if let Some(list) = command.iter().position(|word| *word == "--roles").map(|at| command[at + 1]) {
            roles.extend(list.split(',').map(str::to_owned));
        }
    }
    let all: BTreeSet<_> = ProcessRole::value_variants().iter().map(ToString::to_string).collect();
    assert_eq!(roles, all);
    for part in ["postgres", "nats", "garage"] {
        assert!(services.contains_key(part), "{part} is missing");
    }
    assert!(read("deploy/nats-server.conf").contains("sync_interval: always"));
}

#[tokio::test]
async fn the_secrets_script_gives_what_is_asked_for() {
    let directory = TempDir::new().unwrap();
    let deploy = directory.path().join("deploy");
    std::fs::create_dir(&deploy).unwrap();
    let script = deploy.join("generate-secrets");
    std::fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/generate-secrets"), &script).unwrap();
    let run = async || {
        let done = Command::new(&script).stderr(Stdio::null()).status().await.unwrap();
        assert!(done.success());
        std::fs::read_to_string(directory.path().join(".env")).unwrap()
    };
    let env = run().await;
    let given: BTreeSet<_> = env.lines().map(|line| line.split_once('=').unwrap().0).collect();
    let text = read("docker-compose.yml");
    let (asked, _) = interpolated(&text);
    assert_eq!(given, asked);
    let key = std::fs::read_to_string(deploy.join("secrets/master.key")).unwrap();
    event_store::MasterKeys::parse(&key).unwrap();
    assert_eq!(run().await, env, "what exists is kept");
}
