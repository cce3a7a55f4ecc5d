//! What `docuvault serve` stands on: a database on the shared server, a nats-server of its own with the product's
//! configuration, and no object store.

use std::net::TcpListener;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::process::Stdio;

use anyhow::Context;
use std::io::Write;
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use crate::fixture::Server;
use crate::node::Node;
use crate::ours::{DATABASE, Ours};

const CONFIGURATION: &str = include_str!("../../deploy/nats-server.conf");
const CLIENTS: [&str; 5] = ["shared", "relay", "audit", "classification", "notification"];

pub(crate) struct Stack {
    binary: PathBuf,
    environment: Vec<(String, String)>,
    _nats: Child,
    _directory: TempDir,
}

impl Stack {
    /// Beside the log of `ours`, with an empty NATS.
    pub(crate) async fn start(server: &Server, ours: &Ours) -> anyhow::Result<Self> {
        let directory = tempfile::tempdir()?;
        let key_file = directory.path().join("master.key");
        let mut file =
            std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&key_file)?;
        file.write_all(ours.master_key.as_bytes())?;
        let (nats, address) = nats_server(&directory).await?;
        let logins: Vec<_> = CLIENTS[1..].iter().map(|client| format!("{client}:p-{client}")).collect();
        let environment = [
            ("DATABASE_URL", server.app_url(DATABASE)),
            ("DOCUVAULT_MASTER_KEY_FILE", key_file.display().to_string()),
            ("NATS_URL", format!("nats://docuvault:p-shared@{address}")),
            ("NATS_CREDENTIALS", logins.join(",")),
            ("S3_ENDPOINT", "http://127.0.0.1:9".to_owned()),
            ("S3_REGION", "none".to_owned()),
            ("S3_BUCKET", "none".to_owned()),
            ("S3_ACCESS_KEY_ID", "none".to_owned()),
            ("S3_SECRET_ACCESS_KEY", "none".to_owned()),
        ];
        let environment = environment.map(|(name, value)| (name.to_owned(), value)).to_vec();
        Ok(Self { binary: server.docuvault.clone(), environment, _nats: nats, _directory: directory })
    }

    /// A process with these roles; one with the role `api` answers at the address.
    pub(crate) async fn node(&self, roles: &str) -> anyhow::Result<(Node, String)> {
        let listen = free_address()?;
        let mut environment = self.environment.clone();
        environment.push(("DOCUVAULT_LISTEN".to_owned(), listen.clone()));
        let node = Node::start(&self.binary, &["serve", "--roles", roles], &environment).await?;
        Ok((node, listen))
    }
}

pub(crate) fn free_address() -> anyhow::Result<String> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string())
}

async fn nats_server(directory: &TempDir) -> anyhow::Result<(Child, String)> {
    let program = std::env::var_os("DOCUVAULT_NATS_SERVER").unwrap_or_else(|| "nats-server".into());
    let configuration = directory.path().join("nats-server.conf");
    std::fs::write(&configuration, CONFIGURATION)?;
    let address = free_address()?;
    let (host, port) = address.split_once(':').context("an address")?;
    let passwords =
        CLIENTS.map(|client| (format!("NATS_{}_PASSWORD", client.to_uppercase()), format!("p-{client}")));
    let mut child = Command::new(program)
        .arg("-c")
        .arg(configuration)
        .arg("-sd")
        .arg(directory.path())
        .args(["-a", host, "-p", port])
        .envs(passwords)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .context("cannot start nats-server")?;
    while TcpStream::connect(&address).await.is_err() {
        anyhow::ensure!(child.try_wait()?.is_none(), "nats-server does not start");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    Ok((child, address))
}
