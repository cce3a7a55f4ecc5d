//! A PostgreSQL of our own, under supervision. It syncs nothing: processes die here, the kernel does not.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::unistd::{User, chown, geteuid};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Connection, Executor};
use tokio::process::Command;

use super::clock::WallClock;
use super::disk::Disk;
use super::process::{Process, free_port};
use crate::standalone::vault::eventually;

const START_LIMIT: Duration = Duration::from_mins(1);
const ROLES: &str = include_str!("../../../../migrations/roles.sql");
const PASSWORD: &str = "in-tests";
const DIRECTORY: &str = "postgres";
/// WAL comes in small pieces, so that a full disk is felt soon.
const INITDB: [&str; 9] = [
    "--username=docuvault_super",
    "--auth-local=trust",
    "--auth-host=scram-sha-256",
    "--encoding=UTF8",
    "--locale=C",
    "--wal-segsize=1",
    "--data-checksums",
    "--no-sync",
    "--no-instructions",
];

pub(crate) struct Postgres {
    pub(crate) process: Process,
    pub(crate) address: SocketAddr,
    sockets: PathBuf,
}

impl Postgres {
    /// A cluster with the database, the roles and no schema yet; in `root`, or on the small `disk`.
    pub(super) async fn start(root: &Path, disk: Option<&Disk>, clock: Option<&WallClock>) -> Self {
        let programs = programs();
        let (inside, outside) = match disk {
            Some(disk) => (Disk::seen_from_inside(DIRECTORY), disk.seen_from_outside(DIRECTORY)),
            None => (root.join(DIRECTORY), root.join(DIRECTORY)),
        };
        std::fs::create_dir(&outside).unwrap();
        let sockets = root.join("sockets");
        std::fs::create_dir(&sockets).unwrap();
        give_to_postgres(&outside);
        give_to_postgres(&sockets);

        let disk = disk.map(Disk::enter);
        let mut initdb = as_postgres(disk.as_ref());
        initdb.arg(programs.join("initdb")).arg("--pgdata").arg(inside.join("data")).args(INITDB);
        let made = initdb.output().await.unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));

        let port = free_port();
        let settings = settings(port, &sockets);
        let (program, data) = (programs.join("postgres"), inside.join("data"));
        let clock = clock.map_or_else(Vec::new, WallClock::before);
        let process = Process::supervise(DIRECTORY, root, move || {
            let mut postgres = as_postgres(disk.as_ref());
            postgres.args(&clock).arg(&program).arg("-D").arg(&data).args(&settings);
            postgres
        });
        let postgres = Self { process, address: (Ipv4Addr::LOCALHOST, port).into(), sockets };
        eventually(START_LIMIT, async || postgres.connect("postgres").await.is_ok()).await;
        postgres.provide_database().await;
        postgres
    }

    /// As superuser, past every proxy.
    pub(crate) async fn connect(&self, database: &str) -> sqlx::Result<PgConnection> {
        let options = PgConnectOptions::new_without_pgpass()
            .socket(&self.sockets)
            .port(self.address.port())
            .username("docuvault_super")
            .database(database)
            .disable_statement_logging();
        PgConnection::connect_with(&options).await
    }

    /// The URL of a role, by way of `address`.
    pub(crate) fn url(role: &str, address: SocketAddr) -> String {
        format!("postgres://{role}:{PASSWORD}@{address}/docuvault")
    }

    async fn provide_database(&self) {
        let mut connection = self.connect("postgres").await.unwrap();
        connection.execute("CREATE DATABASE docuvault").await.unwrap();
        let mut connection = self.connect("docuvault").await.unwrap();
        connection.execute(ROLES).await.unwrap();
        for role in ["docuvault_app", "docuvault_migrate"] {
            connection.execute(format!("ALTER ROLE {role} PASSWORD '{PASSWORD}'").as_str()).await.unwrap();
        }
    }
}

/// Where the newest server's programs are.
pub(crate) fn programs() -> PathBuf {
    if let Some(directory) = std::env::var_os("PG_BINDIR") {
        return directory.into();
    }
    let versions = std::fs::read_dir("/usr/lib/postgresql").unwrap().flatten();
    let newest = versions.max_by_key(|version| version.file_name().to_string_lossy().parse::<u32>().ok());
    newest.unwrap().path().join("bin")
}

fn settings(port: u16, sockets: &Path) -> Vec<String> {
    let settings = [
        format!("port={port}"),
        format!("unix_socket_directories={}", sockets.display()),
        "listen_addresses=127.0.0.1".into(),
        "max_connections=200".into(),
        "shared_buffers=32MB".into(),
        "max_wal_size=16MB".into(),
        "min_wal_size=2MB".into(),
        "fsync=off".into(),
        "timezone=UTC".into(),
    ];
    settings.into_iter().flat_map(|setting| ["-c".to_owned(), setting]).collect()
}

/// PostgreSQL refuses root.
fn unprivileged() -> Option<User> {
    geteuid().is_root().then(|| User::from_name("postgres").unwrap().expect("`make setup` makes this user"))
}

pub(super) fn give_to_postgres(path: &Path) {
    if let Some(user) = unprivileged() {
        chown(path, Some(user.uid), Some(user.gid)).unwrap();
    }
}

/// The beginning of a command that PostgreSQL's user runs, on the small disk if there is one.
fn as_postgres(disk: Option<&[String; 2]>) -> Command {
    let mut command = match disk {
        Some(enter) => {
            let mut command = Command::new("nsenter");
            command.args(enter).arg("setpriv");
            command
        }
        None => Command::new("setpriv"),
    };
    if let Some(user) = unprivileged() {
        command.args(["--reuid", &user.uid.to_string(), "--regid", &user.gid.to_string(), "--clear-groups"]);
    }
    command.args(["--pdeathsig", "KILL", "--"]).current_dir("/").env("LC_ALL", "C");
    command
}
