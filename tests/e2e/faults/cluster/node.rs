//! A `docuvault serve` process, and its own wires to everything that it needs.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use tokio::process::Command;

use super::clock::WallClock;
use super::nats::Nats;
use super::object_store::ObjectStore;
use super::postgres::Postgres;
use super::process::{Process, bound_to_us, free_port};
use crate::faults::proxy::Link;
use crate::standalone::vault::docuvault;

/// Every API process answers to this name; clients are told where it is.
pub(crate) const PUBLIC_URL: &str = "http://localhost";
/// Longer than any request may take.
const PATIENCE: Duration = Duration::from_secs(40);

pub(crate) struct Node {
    pub(crate) process: Process,
    /// Where it says how it stands, and serves its API if it has one.
    pub(crate) address: SocketAddr,
    pub(crate) roles: &'static str,
    pub(crate) postgres: Link,
    pub(crate) store: Link,
    pub(crate) nats: Link,
    pub(crate) clock: Option<WallClock>,
}

/// The servers around a node.
pub(super) struct Surroundings<'a> {
    pub(super) root: &'a Path,
    pub(super) postgres: SocketAddr,
    pub(super) store: SocketAddr,
    pub(super) nats: SocketAddr,
    /// Where clients find the object store.
    pub(super) public_store: SocketAddr,
    /// Whether its clock can be set.
    pub(super) clocks: bool,
}

impl Node {
    /// `name`: its roles are what comes before the number, see [`roles`].
    pub(super) async fn start(name: &str, around: &Surroundings<'_>) -> Self {
        let (postgres, store) = (Link::to(around.postgres).await, Link::to(around.store).await);
        let nats = Link::to(around.nats).await;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let clock = if around.clocks { WallClock::of(name, around.root) } else { None };
        let mut variables = common(around.root, postgres.address);
        variables.push(("NATS_URL".into(), Nats::url(nats.address)));
        variables.extend(ObjectStore::variables(store.address, around.public_store));
        // Whoever has no API tells its health where figures are served.
        let listen =
            if roles(name).starts_with("api") { "DOCUVAULT_LISTEN" } else { "DOCUVAULT_METRICS_LISTEN" };
        variables.push((listen.into(), address.to_string()));
        variables.push(("DOCUVAULT_LOG".into(), "info,s3s=off,docuvault::access=warn".into()));
        let wound = clock.as_ref().map_or_else(Vec::new, WallClock::before);
        let roles = roles(name);
        let process = Process::supervise(name, around.root, move || {
            let mut serve = bound_to_us();
            serve.env_clear().envs(variables.clone()).args(&wound);
            serve.arg(env!("CARGO_BIN_EXE_docuvault")).args(["serve", "--roles", roles]);
            if let Some(path) = std::env::var_os("PATH") {
                serve.env("PATH", path);
            }
            serve
        });
        Self { process, address, roles, postgres, store, nats, clock }
    }
}

impl Node {
    /// An HTTP client that finds this node under the public name, and the object store where it is.
    pub(crate) fn http(&self) -> reqwest::Client {
        reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .resolve("localhost", self.address)
            .timeout(PATIENCE)
            .build()
            .unwrap()
    }

    pub(crate) fn has_api(&self) -> bool {
        self.roles.split(',').any(|role| role == "api")
    }
}

/// What a node of this name does.
fn roles(name: &str) -> &'static str {
    match name.split('-').next() {
        Some("vault") => "api,relay,projector,audit,classifier,notifier,sweeper",
        Some("api") => "api",
        Some("logger") => "relay,projector",
        // A worker.
        _ => "audit,classifier,notifier,sweeper",
    }
}

/// A command line beside the nodes.
pub(super) fn beside(around: &Surroundings<'_>, arguments: &[&str]) -> Command {
    let mut command = docuvault();
    command.args(arguments).envs(common(around.root, around.postgres));
    command.envs(ObjectStore::variables(around.store, around.public_store));
    command
}

fn common(root: &Path, postgres: SocketAddr) -> Vec<(String, String)> {
    let variables = [
        ("DATABASE_URL", Postgres::url("docuvault_app", postgres)),
        ("DATABASE_MIGRATE_URL", Postgres::url("docuvault_migrate", postgres)),
        ("DOCUVAULT_PUBLIC_URL", PUBLIC_URL.to_owned()),
        ("DOCUVAULT_MASTER_KEY_FILE", root.join("master.key").display().to_string()),
        // Everybody is at one address, and a killed process leaves its logins behind as failed.
        ("DOCUVAULT_LIMITS", "off".to_owned()),
    ];
    variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
