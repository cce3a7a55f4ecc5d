//! One supervisor for a whole vault in pieces: PostgreSQL, an object store, several `docuvault serve` processes, and a
//! proxy on every wire between them. Clients reach the object store through a proxy, too.

mod clock;
mod disk;
mod nats;
mod node;
mod object_store;
mod postgres;
mod process;

use std::fs::{File, Permissions};
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use nix::sys::signal::Signal;
use tempfile::TempDir;
use tokio::process::Command;

pub(crate) use clock::WallClock;
pub(crate) use disk::Disk;
pub(crate) use nats::Nats;
pub(crate) use node::{Node, PUBLIC_URL};
pub(crate) use object_store::ObjectStore;
pub(crate) use postgres::{Postgres, programs};
pub(crate) use process::Process;

use super::proxy::{Link, Mode};
use crate::client::Client;
use crate::replay;
use crate::standalone::vault::eventually;
use node::{Surroundings, beside};

const START_LIMIT: Duration = Duration::from_mins(1);
/// Ends as soon as the test does.
const SMALL_DISK: &str = "176m";

/// What a test needs.
#[derive(Clone, Copy, Default)]
pub(crate) struct Shape {
    /// The names of the `docuvault serve` processes.
    pub(crate) nodes: &'static [&'static str],
    /// PostgreSQL on a disk that can be filled, where this machine can do it.
    pub(crate) small_disk: bool,
    /// Clocks that can be set, where this machine can do it.
    pub(crate) clocks: bool,
}

/// Fields end in this order.
pub(crate) struct Cluster {
    pub(crate) nodes: Vec<Node>,
    pub(crate) postgres: Postgres,
    pub(crate) nats: Nats,
    pub(crate) postgres_clock: Option<WallClock>,
    pub(crate) disk: Option<Disk>,
    pub(crate) public_store: Link,
    pub(crate) store: ObjectStore,
    root: TempDir,
}

impl Cluster {
    /// Returns when every node answers.
    pub(crate) async fn start(shape: Shape) -> Self {
        let root = directory();
        make_master_key(root.path());
        let disk = if shape.small_disk { Disk::of(SMALL_DISK).await } else { None };
        let clock = if shape.clocks { WallClock::of("postgres", root.path()) } else { None };
        let postgres = Postgres::start(root.path(), disk.as_ref(), clock.as_ref()).await;
        let nats = Nats::start(root.path(), disk.as_ref());
        let store = ObjectStore::start(root.path()).await;
        let public_store = Link::to(store.address).await;
        let mut cluster = Self {
            nodes: Vec::new(),
            postgres,
            nats,
            postgres_clock: clock,
            disk,
            public_store,
            store,
            root,
        };
        cluster.migrate().await;
        for name in shape.nodes {
            let node = Node::start(name, &cluster.surroundings(shape.clocks)).await;
            cluster.nodes.push(node);
        }
        eventually(START_LIMIT, async || cluster.all_ready().await).await;
        cluster
    }

    /// Where logs and data are.
    pub(crate) fn root(&self) -> &Path {
        self.root.path()
    }

    /// Whether every node says that it is ready, and nothing behind it is degraded.
    pub(crate) async fn all_ready(&self) -> bool {
        for node in &self.nodes {
            let ready = node.http().get(format!("{PUBLIC_URL}/readyz")).send().await;
            let Ok(ready) = ready else { return false };
            if ready.status() != 200 || !ready.text().await.is_ok_and(|text| text.contains("\"ready\"")) {
                return false;
            }
        }
        true
    }

    /// Whether every subscription that a node runs has come to the end of the log, and none is stopped.
    pub(crate) async fn caught_up(&self) -> bool {
        let Ok(mut log) = self.postgres.connect("docuvault").await else { return false };
        let behind = "SELECT NOT EXISTS (SELECT FROM checkpoints WHERE (name <> 'audit_trail' OR $1)
                          AND (error IS NOT NULL OR position < (SELECT max(position) FROM events)))";
        let audited = self.nodes.iter().any(|node| node.roles.contains("audit"));
        sqlx::query_scalar(behind).bind(audited).fetch_one(&mut log).await.unwrap_or(false)
    }

    /// How far each subscription has come.
    pub(crate) async fn checkpoints(&self) -> Vec<(String, i64)> {
        let mut log = self.postgres.connect("docuvault").await.unwrap();
        let all = "SELECT name, position FROM checkpoints ORDER BY name";
        sqlx::query_as(all).fetch_all(&mut log).await.unwrap()
    }

    /// The newest position of the log.
    pub(crate) async fn head(&self) -> i64 {
        let mut log = self.postgres.connect("docuvault").await.unwrap();
        sqlx::query_scalar("SELECT max(position) FROM events").fetch_one(&mut log).await.unwrap()
    }

    /// The nodes that answer requests.
    pub(crate) fn apis(&self) -> impl Iterator<Item = &Node> {
        self.nodes.iter().filter(|node| node.has_api())
    }

    /// A new account, signed in at the first node.
    pub(crate) async fn person(&self, email: &str) -> Client {
        let create = self.docuvault(&["users", "create", email, "--role", "user"]).output().await.unwrap();
        assert!(create.status.success(), "{}", String::from_utf8_lossy(&create.stderr));
        let said = String::from_utf8(create.stdout).unwrap();
        let temporary = said.split_whitespace().last().expect("a temporary password");
        Client::with_new_password(self.nodes[0].http(), base(), email, temporary).await
    }

    /// A command line of `docuvault`, past every proxy.
    pub(crate) fn docuvault(&self, arguments: &[&str]) -> Command {
        beside(&self.surroundings(false), arguments)
    }

    /// `docuvault-replay`; its exit code and what it printed.
    pub(crate) async fn replay(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let env = [
            format!("DATABASE_URL={}", Postgres::url("docuvault_app", self.postgres.address)),
            format!("DOCUVAULT_MASTER_KEY_FILE={}", self.root().join("master.key").display()),
        ];
        let file = self.root().join("replay.env");
        std::fs::write(&file, env.join("\n")).unwrap();
        replay::run_on(&file, arguments).await
    }

    /// Takes every fault back. What was killed comes back by itself.
    pub(crate) fn heal(&self) {
        self.public_store.set(Mode::Pass);
        if let Some(disk) = &self.disk {
            disk.make_room();
        }
        for clock in
            self.postgres_clock.iter().chain(self.nodes.iter().filter_map(|node| node.clock.as_ref()))
        {
            clock.skew(0);
        }
        for process in self.processes() {
            process.signal(Signal::SIGCONT);
            process.hold(false);
        }
        for node in &self.nodes {
            node.postgres.set(Mode::Pass);
            node.store.set(Mode::Pass);
            node.nats.set(Mode::Pass);
        }
    }

    /// Everything that is supervised.
    pub(crate) fn processes(&self) -> impl Iterator<Item = &Process> {
        [&self.postgres.process, &self.nats.process]
            .into_iter()
            .chain(self.nodes.iter().map(|node| &node.process))
    }

    /// Ends everything, and keeps the logs if wanted: then says where.
    pub(crate) async fn stop(self, keep: bool) -> Option<PathBuf> {
        for process in self.processes() {
            process.end_by(Signal::SIGKILL).await;
        }
        WallClock::tidy();
        keep.then(|| self.root.keep())
    }

    async fn migrate(&self) {
        let migrate = self.docuvault(&["migrate"]).output().await.unwrap();
        assert!(migrate.status.success(), "{}", String::from_utf8_lossy(&migrate.stderr));
    }

    fn surroundings(&self, clocks: bool) -> Surroundings<'_> {
        Surroundings {
            root: self.root(),
            postgres: self.postgres.address,
            store: self.store.address,
            nats: self.nats.address,
            public_store: self.public_store.address,
            clocks,
        }
    }
}

/// The address of the API, by the name that [`Cluster::to`] knows.
pub(crate) fn base() -> String {
    format!("{PUBLIC_URL}/api/v1")
}

/// In memory if possible. PostgreSQL's user goes through it.
fn directory() -> TempDir {
    let mut builder = tempfile::Builder::new();
    builder.prefix("docuvault-faults-").permissions(Permissions::from_mode(0o755));
    builder.tempdir_in("/dev/shm").or_else(|_| builder.tempdir()).unwrap()
}

fn make_master_key(root: &Path) {
    let path = root.join("master.key");
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(path).unwrap();
    writeln!(file, "1 {}", BASE64_STANDARD.encode([7; 32])).unwrap();
}
