//! What people are told by mail, from what they did to the file that a standalone vault writes.

use std::time::Duration;

use reqwest::Response;
use reqwest::header::{COOKIE, SET_COOKIE};
use serde_json::json;
use tempfile::TempDir;

use crate::client::{Client, PASSWORD};
use crate::standalone::vault::{Vault, eventually, refusal, standalone};

const LIMIT: Duration = Duration::from_secs(30);

fn cookie(response: &Response) -> String {
    response.headers()[SET_COOKIE].to_str().unwrap().split(';').next().unwrap().to_owned()
}

#[tokio::test]
async fn whoever_lost_a_session_to_a_copied_token_is_told() {
    let directory = TempDir::new().unwrap();
    let vault = Vault::start(directory.path()).await;
    let ana = Client::first_administrator(&vault).await;
    let post = async |path: &str, cookie: Option<&str>, body: serde_json::Value| {
        let mut request =
            ana.http.post(format!("{}{path}", ana.base)).json(&body).header("X-Docuvault-Client", "e2e");
        if let Some(cookie) = cookie {
            request = request.header(COOKIE, cookie);
        }
        request.send().await.unwrap()
    };
    let login = post("/auth/login", None, json!({ "email": "ana@example.org", "password": PASSWORD })).await;
    let copied = cookie(&login);
    let second = cookie(&post("/auth/refresh", Some(&copied), json!({})).await);
    assert_eq!(post("/auth/refresh", Some(&second), json!({})).await.status(), 200);
    assert_eq!(post("/auth/refresh", Some(&copied), json!({})).await.status(), 401);

    let mails = directory.path().join("mail");
    let first = || {
        std::fs::read_dir(&mails).ok()?.flatten().find(|file| file.path().extension() == Some("eml".as_ref()))
    };
    eventually(LIMIT, async || first().is_some()).await;
    let mail = std::fs::read_to_string(first().unwrap().path()).unwrap();
    assert!(mail.contains("To: ana@example.org\r\n") && mail.contains("change your password"), "{mail}");
    for secret in [copied, second] {
        assert!(!mail.contains(secret.split_once('=').unwrap().1), "{mail}");
    }
}

#[tokio::test]
async fn a_wrong_setting_is_refused_by_name_and_without_its_password() {
    for (name, value) in [
        ("SMTP_URL", "http://ana:hunter22@mail.example.org"),
        ("SMTP_URL", "smtp://:hunter22@mail.example.org"),
        ("DOCUVAULT_MAIL_FROM", "nobody at all"),
    ] {
        let directory = TempDir::new().unwrap();
        let mut command = standalone(directory.path());
        command.env(name, value);
        let message = refusal(command).await;
        assert!(message.contains(name) && !message.contains("hunter22"), "{message}");
    }
}
