//! Administration of people, from outside: over HTTP and on the command line of a running vault.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::client::{Client, PASSWORD, base, expect, http};
use crate::standalone::vault::{Vault, docuvault, eventually};

/// What `docuvault users …` prints, and its exit code.
async fn users(vault: &Vault, arguments: &[&str]) -> (i32, String, String) {
    let mut command = docuvault();
    command.arg("users").args(arguments).arg("--env-file").arg(vault.env_file());
    let output = command.output().await.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

async fn login(vault: &Vault, email: &str) -> (StatusCode, Value) {
    let body = json!({ "email": email, "password": PASSWORD });
    let answer = http().post(format!("{}/auth/login", base(vault))).json(&body).send().await.unwrap();
    (answer.status(), answer.json().await.unwrap())
}

#[tokio::test]
async fn people_come_and_go_and_the_audit_trail_tells_who_did_it() {
    let directory = TempDir::new().unwrap();
    let vault = Vault::start(directory.path()).await;
    let admin = Client::first_administrator(&vault).await;
    let created = json!({ "email": "bo@example.org", "display_name": "Bo", "quota_limit": 1024 });
    let created = admin.post("/admin/users", &created, 201).await;
    let temporary = created["temporary_password"].as_str().unwrap();
    let bo = Client::with_new_password(http(), base(&vault), "bo@example.org", temporary).await;
    bo.upload("a.txt", "text/plain", b"hello").await;

    let (code, table, _) = users(&vault, &["list"]).await;
    let row = table.lines().find(|line| line.ends_with("bo@example.org")).expect("a row for bo");
    assert!(
        code == 0 && row.contains("user") && row.contains("active") && row.contains("1.00 KiB"),
        "{table}"
    );
    let (_, listed, _) = users(&vault, &["list", "--format", "json"]).await;
    let listed: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(listed[0]["quota"], json!({ "limit": 1024, "used": 5, "reserved": 0 }));

    let (code, told, _) = users(&vault, &["deactivate", "BO@example.org"]).await;
    assert_eq!((code, told.trim()), (0, "BO@example.org is deactivated"));
    let ended = async || bo.request(Method::GET, "/me").send().await.unwrap().status() == 401;
    eventually(Duration::from_secs(30), ended).await;
    assert_eq!(login(&vault, "bo@example.org").await.0, 401);
    let (code, told, _) = users(&vault, &["deactivate", "bo@example.org"]).await;
    assert_eq!((code, told.trim()), (0, "bo@example.org is deactivated already"));
    for (email, why) in [("nobody@example.org", "nobody has an account"), ("ana@example.org", "last active")]
    {
        let (code, _, error) = users(&vault, &["deactivate", email]).await;
        assert!(code == 2 && error.contains(why), "{error}");
    }
    let id = created["user_id"].as_str().unwrap();
    let back = admin.request(Method::PATCH, &format!("/admin/users/{id}")).json(&json!({ "active": true }));
    let back = back.send().await.unwrap();
    let position = back.headers()["docuvault-position"].to_str().unwrap().to_owned();
    assert_eq!(expect(back, 200).await["active"], true);
    assert_eq!(login(&vault, "bo@example.org").await.0, 200);

    let me = admin.get("/me").await["user_id"].as_str().unwrap().to_owned();
    for (kind, actor) in [
        ("user_registered", format!("user:{me}")),
        ("user_deactivated", "operator".into()),
        ("user_reactivated", format!("user:{me}")),
    ] {
        let path = format!("/admin/audit?type={kind}");
        let trail = admin.request(Method::GET, &path).header("Docuvault-Min-Position", &position);
        let trail = expect(trail.send().await.unwrap(), 200).await;
        let row =
            trail["items"].as_array().unwrap().iter().find(|row| row["subject"] == format!("user:{id}"));
        assert_eq!(row.unwrap_or_else(|| panic!("no {kind}: {trail}"))["actor"], actor, "{kind}");
        assert!(!trail.to_string().contains("example.org"), "{trail}");
    }
}
