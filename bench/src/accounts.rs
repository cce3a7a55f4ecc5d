//! What every request of an account costs: the token check, the rotation of a refresh token; and what others notice while
//! many passwords are being hashed.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use futures::future::try_join_all;
use reqwest::header::{COOKIE, SET_COOKIE};
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::drive::closed_loop;
use crate::report::Report;
use crate::vault::{EMAIL, PASSWORD, Vault};

const CONNECTIONS: usize = 32;
/// Of those who ask while others sign in.
const ASKING: usize = 4;
const LOGINS: usize = 200;
const CROWD: &str = "crowd@example.org";

pub(crate) async fn run(binary: &Path, secs: Duration, report: &mut Report) -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    let mut vault = Vault::standalone(binary, directory.path(), &[("DOCUVAULT_LIMITS", "off")]).await?;
    let shared = Arc::new(vault);
    for path in ["/healthz", "/me"] {
        report.add(
            &format!("api {path} {CONNECTIONS}"),
            "docuvault",
            get(&shared, CONNECTIONS, secs, path).await?,
        );
    }
    report.add(&format!("api refresh {CONNECTIONS}"), "docuvault", refresh(&shared, secs).await?);
    vault = Arc::into_inner(shared).context("the vault is still in use")?;
    vault.sign_in().await?;
    while_hashing(&Arc::new(vault), secs, report).await
}

async fn get(
    vault: &Arc<Vault>,
    connections: usize,
    secs: Duration,
    path: &'static str,
) -> anyhow::Result<crate::drive::Measured> {
    let vault = Arc::clone(vault);
    let asking = move |_, _| {
        let vault = Arc::clone(&vault);
        async move {
            let answer = vault.at(path).send().await?;
            ensure!(answer.status() == 200, "{path}: {}", answer.text().await?);
            answer.bytes().await?;
            Ok(())
        }
    };
    closed_loop(connections, secs, asking).await
}

/// Each connection has a session of its own, and goes on with the cookie that it was given last.
async fn refresh(vault: &Arc<Vault>, secs: Duration) -> anyhow::Result<crate::drive::Measured> {
    let mut cookies = Vec::new();
    for _ in 0..CONNECTIONS {
        cookies.push(Mutex::new(login(vault, EMAIL).await?));
    }
    let (vault, cookies) = (Arc::clone(vault), Arc::new(cookies));
    let rotating = move |worker: usize, _| {
        let (vault, cookies) = (Arc::clone(&vault), Arc::clone(&cookies));
        async move {
            let mut cookie = cookies[worker].lock().await;
            let url = format!("{}/auth/refresh", vault.url);
            let request =
                vault.client.post(url).header("x-docuvault-client", "bench").header(COOKIE, &*cookie);
            let answer = request.send().await?;
            ensure!(answer.status() == 200, "refresh: {}", answer.text().await?);
            *cookie = cookie_of(&answer)?;
            answer.bytes().await?;
            Ok(())
        }
    };
    closed_loop(CONNECTIONS, secs, rotating).await
}

/// By an administrator, and its temporary password changed.
async fn open_account(vault: &Vault, email: &str) -> anyhow::Result<()> {
    let created = vault.post("/admin/users").json(&json!({ "email": email })).send().await?;
    ensure!(created.status() == 201, "create: {}", created.text().await?);
    let created: Value = created.json().await?;
    let temporary = json!({ "email": email, "password": created["temporary_password"] });
    let login = vault.client.post(format!("{}/auth/login", vault.url)).json(&temporary).send().await?;
    let login: Value = login.json().await?;
    let change = json!({ "change_token": login["change_token"], "new_password": PASSWORD });
    let changed =
        vault.client.post(format!("{}/auth/password/change", vault.url)).json(&change).send().await?;
    ensure!(changed.status() == 204, "change: {}", changed.text().await?);
    Ok(())
}

/// The refresh cookie of a new session.
async fn login(vault: &Vault, email: &str) -> anyhow::Result<String> {
    let credentials = json!({ "email": email, "password": PASSWORD });
    let answer = vault.client.post(format!("{}/auth/login", vault.url)).json(&credentials).send().await?;
    ensure!(answer.status() == 200, "login: {}", answer.text().await?);
    cookie_of(&answer)
}

fn cookie_of(answer: &reqwest::Response) -> anyhow::Result<String> {
    let cookie = answer.headers().get(SET_COOKIE).context("no cookie")?.to_str()?;
    Ok(cookie.split(';').next().unwrap_or_default().to_owned())
}

/// Others are answered, and memory stays bounded, while many sign in at once.
async fn while_hashing(vault: &Arc<Vault>, secs: Duration, report: &mut Report) -> anyhow::Result<()> {
    // An account of their own: a person has so many sessions at most, and the oldest give way.
    open_account(vault, CROWD).await?;
    for path in ["/healthz", "/documents"] {
        let logins = try_join_all((0..LOGINS).map(|_| login(vault, CROWD)));
        let asking = get(vault, ASKING, secs, path);
        let began = std::time::Instant::now();
        let logins = async {
            logins.await?;
            anyhow::Ok(began.elapsed())
        };
        let (took, measured) = tokio::try_join!(logins, asking)?;
        report.add(&format!("api {path} {ASKING} while {LOGINS} sign in"), "docuvault", measured);
        report.note(format!("{LOGINS} logins at once: {:.1} s", took.as_secs_f64()));
    }
    report.note(format!("peak memory while hashing: {} MB resident", vault.node.peak_mb()?));
    Ok(())
}
