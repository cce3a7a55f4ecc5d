//! A real `docuvault standalone` in a temporary directory, with its first administrator.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

pub(crate) const EMAIL: &str = "bench@example.org";
const PASSWORD: &str = "a-long-benchmark-passphrase";

pub(crate) struct Vault {
    pub url: String,
    pub client: reqwest::Client,
    pub token: String,
    pub user_id: String,
    child: Child,
    data: TempDir,
}

impl Vault {
    pub(crate) async fn start(binary: &Path) -> anyhow::Result<Self> {
        let data = tempfile::tempdir()?;
        let listen = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
        let mut child = Command::new(binary)
            .args(["standalone", "--listen", &listen, "--data"])
            .arg(data.path().join("data"))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {}", binary.display()))?;
        let mut lines = BufReader::new(child.stdout.take().context("no output")?).lines();
        let mut setup_token = None;
        while let Some(line) = lines.next_line().await? {
            if let Some((_, token)) = line.split_once("/setup#token=") {
                setup_token = Some(token.trim().to_owned());
            }
            if line.starts_with("docuvault ready at") {
                break;
            }
        }
        let url = format!("http://{listen}/api/v1");
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build()?;
        let setup =
            json!({ "token": setup_token.context("no setup link")?, "email": EMAIL, "password": PASSWORD });
        let response = client.post(format!("{url}/setup")).json(&setup).send().await?;
        ensure!(response.status() == 201, "setup: {}", response.text().await?);
        let credentials = json!({ "email": EMAIL, "password": PASSWORD });
        let login: Value =
            client.post(format!("{url}/auth/login")).json(&credentials).send().await?.json().await?;
        let text = |value: &Value| value.as_str().map(str::to_owned).context("login");
        let (token, user_id) = (text(&login["access_token"])?, text(&login["user"]["user_id"])?);
        Ok(Self { url, client, token, user_id, child, data })
    }

    pub(crate) fn get(&self, path: &str) -> reqwest::RequestBuilder {
        self.client.get(format!("{}{path}", self.url)).bearer_auth(&self.token)
    }

    pub(crate) fn post(&self, path: &str) -> reqwest::RequestBuilder {
        self.client.post(format!("{}{path}", self.url)).bearer_auth(&self.token)
    }

    /// A value of DATA/env.
    pub(crate) fn setting(&self, name: &str) -> anyhow::Result<String> {
        let text = std::fs::read_to_string(self.data.path().join("data/env"))?;
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        Ok(line.with_context(|| format!("{name} is not in DATA/env"))?.to_owned())
    }

    pub(crate) fn master_key(&self) -> anyhow::Result<PathBuf> {
        Ok(PathBuf::from(self.setting("DOCUVAULT_MASTER_KEY_FILE")?))
    }

    /// Resident memory of the docuvault process itself, in MB.
    pub(crate) fn resident_mb(&self) -> anyhow::Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id().context("ended")?))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
        Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? / 1024)
    }
}
