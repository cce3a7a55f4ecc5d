//! What people are told by mail, from what they did to the file that a standalone vault writes.

use std::path::Path;
use std::time::Duration;

use nix::sys::signal::Signal;
use reqwest::Response;
use reqwest::header::{COOKIE, SET_COOKIE};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::client::{Client, PASSWORD, base, expect, http};
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
    let post = async |path: &str, cookie: Option<&str>, body: Value| {
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

/// The link in the mail of this kind, as the person who reads it finds it: alone in its line.
async fn link(data: &Path, kind: &str) -> String {
    let found = || {
        let files = std::fs::read_dir(data.join("mail")).ok()?.flatten();
        let mut paths = files.map(|file| file.path());
        let path = paths.find(|path| path.to_string_lossy().ends_with(&format!(".{kind}.eml")))?;
        let mail = std::fs::read_to_string(path).ok()?;
        assert!(mail.contains("text/plain") && mail.contains("text/html"), "{mail}");
        mail.lines().find(|line| line.contains("#token=")).map(str::to_owned)
    };
    eventually(LIMIT, async || found().is_some()).await;
    found().unwrap()
}

/// Register, verify, sign in; forget the password, reset it, sign in.
#[tokio::test]
async fn whoever_registers_and_forgets_finds_the_way_by_mail() {
    let directory = TempDir::new().unwrap();
    let mut command = standalone(directory.path());
    command.env("DOCUVAULT_REGISTRATION", "open");
    let vault = Vault::spawn(directory.path(), command).await;
    let (http, base) = (http(), base(&vault));
    let post = async |path: &str, body: Value, status: u16| {
        expect(http.post(format!("{base}{path}")).json(&body).send().await.unwrap(), status).await
    };
    let bo = json!({ "email": "bo@example.org", "password": PASSWORD });
    post("/auth/register", bo.clone(), 202).await;
    let verify = link(directory.path(), "verify_email").await;
    let early = post("/auth/login", bo.clone(), 403).await;
    assert_eq!(early["type"], "/problems/email-not-verified");
    let origin = base.trim_end_matches("/api/v1");
    let token = verify.strip_prefix(&format!("{origin}/verify-email#token=")).expect(&verify);
    let form = http.get(&verify).send().await.unwrap();
    assert_eq!(form.status(), 200);
    assert!(form.text().await.unwrap().contains("Verify your e-mail address"));
    post("/auth/verify-email", json!({ "token": token }), 204).await;
    post("/auth/verify-email", json!({ "token": token }), 400).await;
    let login = post("/auth/login", bo.clone(), 200).await;
    assert_eq!((&login["user"]["email"], &login["user"]["role"]), (&bo["email"], &json!("user")));

    post("/auth/password/forgot", json!({ "email": "bo@example.org" }), 202).await;
    let reset = link(directory.path(), "reset_password").await;
    let token = reset.strip_prefix(&format!("{origin}/reset-password#token=")).expect(&reset);
    let new = "quite another long passphrase";
    post("/auth/password/reset", json!({ "token": token, "new_password": new }), 204).await;
    post("/auth/login", bo, 401).await;
    post("/auth/login", json!({ "email": "bo@example.org", "password": new }), 200).await;
    vault.end_by(Signal::SIGTERM).await;
}

/// A process that is asked to end has given its word by then: what it has answered for, it does.
#[tokio::test]
async fn what_was_answered_is_done_before_the_end() {
    let directory = TempDir::new().unwrap();
    let start = async || {
        let mut command = standalone(directory.path());
        command.env("DOCUVAULT_REGISTRATION", "open");
        Vault::spawn(directory.path(), command).await
    };
    let vault = start().await;
    let (http, base) = (http(), base(&vault));
    for n in 0..5 {
        let body = json!({ "email": format!("person-{n}@example.org"), "password": PASSWORD });
        let answer = http.post(format!("{base}/auth/register")).json(&body).send().await.unwrap();
        assert_eq!(answer.status(), 202);
    }
    vault.end_by(Signal::SIGTERM).await;
    let vault = start().await;
    let mut database = vault.connect("DATABASE_URL").await.unwrap();
    let counted: i64 =
        sqlx::query_scalar("SELECT count(*) FROM credentials").fetch_one(&mut database).await.unwrap();
    assert_eq!(counted, 5);
    vault.end_by(Signal::SIGTERM).await;
}

#[tokio::test]
async fn a_wrong_setting_is_refused_by_name_and_without_its_password() {
    for (name, value) in [
        ("SMTP_URL", "http://ana:hunter22@mail.example.org"),
        ("SMTP_URL", "smtp://:hunter22@mail.example.org"),
        ("DOCUVAULT_MAIL_FROM", "nobody at all"),
        ("DOCUVAULT_REGISTRATION", "yes please"),
    ] {
        let directory = TempDir::new().unwrap();
        let mut command = standalone(directory.path());
        command.env(name, value);
        let message = refusal(command).await;
        assert!(message.contains(name) && !message.contains("hunter22"), "{message}");
    }
}
