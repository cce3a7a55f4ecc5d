//! W07: everything secret that passes through a vault is a canary here, and none of them is found again: not in a log, an
//! error, an event, a dump, in NATS or in any other file. And nobody forges a line of the log.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine;
use base64::prelude::{BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD};
use chrono::TimeDelta;
use event_store::Clock;
use nix::sys::signal::Signal;
use reqwest::header::{COOKIE, SET_COOKIE, USER_AGENT};
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::Command;

use crate::client::{base, http};
use crate::faults::postgres_programs;
use crate::standalone::vault::{Vault, eventually, standalone};

const RELAYED_WITHIN: Duration = Duration::from_secs(30);
const MAILED_WITHIN: Duration = Duration::from_secs(30);

/// What must not be found: names and values.
#[derive(Default)]
struct Canaries(Vec<(&'static str, String)>);

impl Canaries {
    fn hatch(&mut self, name: &'static str, value: impl Into<String>) -> String {
        let value = value.into();
        assert!(value.len() >= 12, "{name} is too short to be looked for");
        self.0.push((name, value.clone()));
        value
    }

    /// As it is, and as it might have been written down.
    fn forms(&self) -> impl Iterator<Item = (&'static str, String)> {
        self.0.iter().flat_map(|(name, value)| {
            let encoded = [
                value.clone(),
                hex::encode(value),
                BASE64_STANDARD_NO_PAD.encode(value),
                BASE64_URL_SAFE_NO_PAD.encode(value),
            ];
            encoded.into_iter().map(move |form| (*name, form))
        })
    }

    fn assert_absent(&self, text: &str, place: &str) {
        for (name, form) in self.forms() {
            assert!(!text.contains(&form), "{place} holds {name}");
        }
    }
}

/// Somebody without tact, whose every answer that is an error is kept.
struct Intruder {
    http: reqwest::Client,
    base: String,
    errors: Vec<String>,
}

impl Intruder {
    async fn send(&mut self, request: RequestBuilder, expected: u16) -> Response {
        let response = request.header("x-docuvault-client", "e2e").send().await.unwrap();
        let status = response.status().as_u16();
        if status == expected && status < 400 {
            return response;
        }
        let headers = format!("{:?}", response.headers());
        let text = response.text().await.unwrap();
        assert_eq!(status, expected, "{text}");
        self.errors.push(format!("{headers}\n{text}"));
        http::Response::new(text).into()
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base))
    }

    async fn post(&mut self, path: &str, body: &Value, expected: u16) -> Response {
        let request = self.request(Method::POST, path).json(body);
        self.send(request, expected).await
    }

    async fn login(&mut self, email: &str, password: &str, expected: u16) -> Response {
        self.post("/auth/login", &json!({ "email": email, "password": password }), expected).await
    }
}

fn cookie(response: &Response) -> String {
    let cookie = response.headers()[SET_COOKIE].to_str().unwrap().split(';').next().unwrap();
    cookie.split_once('=').unwrap().1.to_owned()
}

async fn text(response: Response, field: &str) -> String {
    response.json::<Value>().await.unwrap()[field].as_str().unwrap().to_owned()
}

/// Passwords, good and bad, the tokens that they give, and what becomes of them.
async fn passwords(intruder: &mut Intruder, canaries: &mut Canaries, setup_token: &str) -> String {
    let token = canaries.hatch("the setup token", setup_token);
    let weak = canaries.hatch("a password that is too weak", "canarycanarycanary");
    let ana = canaries.hatch("a password", "canary wombat quietly 7319");
    let mut setup = json!({ "token": token, "email": "ana@example.org", "password": weak });
    intruder.post("/setup", &setup, 422).await;
    setup["password"] = json!(ana);
    intruder.post("/setup", &setup, 201).await;
    let wrong = canaries.hatch("a wrong password", "canary that sings wrongly");
    intruder.login("ana@example.org", &wrong, 401).await;
    intruder.login("nobody@example.org", &wrong, 401).await;

    let broken = canaries.hatch("a password in broken JSON", "canary-in-broken-json");
    let body = format!(r#"{{"email": "ana@example.org", "password": "{broken}"#);
    let request = intruder.request(Method::POST, "/auth/login").header("content-type", "application/json");
    intruder.send(request.body(body), 400).await;
    let misplaced = canaries.hatch("a password in a field of another name", "canary-in-another-field");
    intruder.post("/auth/login", &json!({ "email": "ana@example.org", "passwort": misplaced }), 422).await;
    let nested = canaries.hatch("a password of the wrong type", "canary-in-a-list");
    intruder.post("/auth/login", &json!({ "email": "ana@example.org", "password": [nested] }), 422).await;
    let query = canaries.hatch("a password in a query", "canary-in-a-query");
    let request = intruder.request(Method::POST, &format!("/auth/login?password={query}"));
    intruder.send(request.json(&json!({})), 422).await;
    ana
}

/// The tokens of a session, and an API token.
async fn tokens(intruder: &mut Intruder, canaries: &mut Canaries, password: &str) -> String {
    let login = intruder.login("ana@example.org", password, 200).await;
    let first = canaries.hatch("a refresh token", cookie(&login));
    canaries.hatch("an access token", text(login, "access_token").await);
    let request = intruder.request(Method::POST, "/auth/refresh").header(COOKIE, format!("dv_rt={first}"));
    let refreshed = intruder.send(request, 200).await;
    canaries.hatch("a rotated refresh token", cookie(&refreshed));
    let access = canaries.hatch("a later access token", text(refreshed, "access_token").await);

    let expires_at = Clock::system().now() + TimeDelta::days(1);
    let wish = json!({ "name": "script", "scopes": ["read"], "expires_at": expires_at });
    let create = |intruder: &Intruder| {
        let request = intruder.request(Method::POST, "/me/tokens").bearer_auth(&access);
        request.header("idempotency-key", "once").json(&wish)
    };
    let created = create(intruder);
    let api = text(intruder.send(created, 201).await, "token").await;
    canaries.hatch("an API token", api.as_str());
    let repeated = create(intruder);
    intruder.send(repeated, 409).await;
    let request = intruder.request(Method::GET, "/me").bearer_auth(&api);
    intruder.send(request, 200).await;
    let request = intruder.request(Method::GET, "/documents?limit=none").bearer_auth(&api);
    intruder.send(request, 422).await;
    let forged =
        canaries.hatch("a token that nobody made", "dvp_canary0canary0canary0canary0canary0canary0c");
    let request = intruder.request(Method::GET, "/me").bearer_auth(forged);
    intruder.send(request, 401).await;
    access
}

/// A temporary password, its change, and one that is refused.
async fn temporary(intruder: &mut Intruder, canaries: &mut Canaries, admin: &str) {
    let request = intruder.request(Method::POST, "/admin/users").bearer_auth(admin);
    let created = intruder.send(request.json(&json!({ "email": "bo@example.org" })), 201).await;
    let temporary = canaries.hatch("a temporary password", text(created, "temporary_password").await);
    let login = intruder.login("bo@example.org", &temporary, 200).await;
    let token = canaries.hatch("a change token", text(login, "change_token").await);
    let common = canaries.hatch("a common password", "chickenwing101");
    let mut change = json!({ "change_token": token, "new_password": common });
    intruder.post("/auth/password/change", &change, 422).await;
    change["new_password"] = json!(canaries.hatch("a new password", "canary marmalade 5521 ladder"));
    intruder.post("/auth/password/change", &change, 204).await;
    intruder.post("/auth/password/change", &change, 401).await;
}

/// A link that goes out by mail, and the password that it brings.
async fn recovery(intruder: &mut Intruder, canaries: &mut Canaries, links: &mut Canaries, mails: &Path) {
    intruder.post("/auth/password/forgot", &json!({ "email": "ana@example.org" }), 202).await;
    let link = || {
        let files = std::fs::read_dir(mails).ok()?.flatten();
        let mut texts = files.filter_map(|file| std::fs::read_to_string(file.path()).ok());
        texts.find_map(|text| Some(text.split_once("/reset-password#token=")?.1.lines().next()?.to_owned()))
    };
    eventually(MAILED_WITHIN, async || link().is_some()).await;
    let token = links.hatch("the token of a link", link().unwrap());
    let weak = canaries.hatch("a weak password for a reset", "abcdefghijklmnop");
    let mut reset = json!({ "token": token, "new_password": weak });
    intruder.post("/auth/password/reset", &reset, 422).await;
    reset["new_password"] = json!(canaries.hatch("a password after a reset", "canary ottoman bellows 88"));
    intruder.post("/auth/password/reset", &reset, 204).await;
    intruder.post("/auth/password/reset", &reset, 400).await;
}

/// What a terminal would obey and a reader of lines believe.
async fn forge_lines(intruder: &mut Intruder) {
    let email =
        "eve\r\n{\"level\":\"ERROR\",\"message\":\"forged\"}\r\n\u{1b}[31m\u{9b}2J\u{2028}@example.org";
    let request = intruder.request(Method::POST, "/auth/login").header(USER_AGENT, "forged \u{9b}2J");
    intruder.send(request.json(&json!({ "email": email, "password": "x" })), 401).await;
    // A client that cares for no rules: an escape in a header, and in the request line.
    let address = intruder.base.trim_start_matches("http://").trim_end_matches("/api/v1").to_owned();
    for head in ["GET /healthz HTTP/1.1\r\nUser-Agent: forged \x1b[31m", "GET /forged\x1b[31m HTTP/1.1"] {
        let mut stream = TcpStream::connect(&address).await.unwrap();
        let request = format!("{head}\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        intruder.errors.push(String::from_utf8_lossy(&answer).into_owned());
    }
}

/// The files below `place` that hold one of `patterns`, as `grep` finds them.
async fn files_with(patterns: &Path, place: &Path) -> Vec<String> {
    let mut grep = Command::new("grep");
    grep.args(["--recursive", "--text", "--fixed-strings", "--files-with-matches", "--file"]);
    let output = grep.arg(patterns).arg(place).output().await.unwrap();
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

async fn dump(vault: &Vault) -> String {
    let mut command = Command::new(postgres_programs().join("pg_dump"));
    let output = command.arg("--dbname").arg(&vault.env()["DATABASE_MIGRATE_URL"]).output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn write(directory: &TempDir, name: &str, lines: &[String]) -> PathBuf {
    let path = directory.path().join(name);
    std::fs::write(&path, lines.join("\n")).unwrap();
    path
}

#[tokio::test]
async fn no_secret_is_left_anywhere_and_no_line_is_forged() {
    let directory = TempDir::new().unwrap();
    let (data, log) = (directory.path().join("data"), directory.path().join("docuvault.log"));
    let mut command = standalone(&data);
    command.env("DOCUVAULT_LOG", "debug,docuvault=trace").stderr(File::create(&log).unwrap());
    let vault = Vault::spawn(&data, command).await;
    let mut intruder = Intruder { http: http(), base: base(&vault), errors: Vec::new() };
    let mut canaries = Canaries::default();
    let setup_token = vault.setup_token.clone().unwrap();
    let password = passwords(&mut intruder, &mut canaries, &setup_token).await;
    let admin = tokens(&mut intruder, &mut canaries, &password).await;
    temporary(&mut intruder, &mut canaries, &admin).await;
    // These alone are written down, in the mail that brings them.
    let (mut links, mails) = (Canaries::default(), data.join("mail"));
    recovery(&mut intruder, &mut canaries, &mut links, &mails).await;
    forge_lines(&mut intruder).await;

    // What is looked through holds what it should: the searches can find something.
    let known = write(&directory, "known", &["docuvault.user.api_token_created".to_owned()]);
    eventually(RELAYED_WITHIN, async || !files_with(&known, &data.join("nats")).await.is_empty()).await;
    let dump = dump(&vault).await;
    assert!(dump.contains("ApiTokenCreated") && dump.contains("$dv-argon2id$"), "the dump is incomplete");
    let metrics = reqwest::get(format!("http://{}/metrics", vault.metrics_address())).await.unwrap();
    let metrics = metrics.text().await.unwrap();
    assert_eq!(vault.end_by(Signal::SIGTERM).await.code(), Some(0));

    let log = std::fs::read_to_string(&log).unwrap();
    assert!(log.contains("\"answered\""), "{log}");
    for (text, place) in [(&dump, "the dump"), (&metrics, "the metrics"), (&log, "the log")] {
        canaries.assert_absent(text, place);
        links.assert_absent(text, place);
    }
    assert!(intruder.errors.len() >= 15, "only {} errors", intruder.errors.len());
    for error in &intruder.errors {
        canaries.assert_absent(error, error);
        links.assert_absent(error, error);
    }
    for line in log.lines() {
        assert!(serde_json::from_str::<Value>(line).is_ok(), "{line}");
        assert!(!line.chars().any(|c| c.is_control() || c == '\u{2028}'), "{line}");
    }
    let holders = async |canaries: &Canaries| {
        let forms: Vec<_> = canaries.forms().map(|(_, form)| form).collect();
        files_with(&write(&directory, "canaries", &forms), &data).await
    };
    assert_eq!(holders(&canaries).await, Vec::<String>::new());
    let mailed = holders(&links).await;
    assert!(mailed.len() == 1 && Path::new(&mailed[0]).starts_with(&mails), "{mailed:?}");
}
