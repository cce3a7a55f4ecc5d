//! A nats-server of our own, under supervision, with the permissions that the product ships. It is disposable: its store
//! can be taken away.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use nix::sys::signal::Signal;

use super::disk::Disk;
use super::process::{Process, bound_to_us, free_port};

const CONFIGURATION: &str = include_str!("../../../../deploy/nats-server.conf");
const CLIENTS: [&str; 5] = ["SHARED", "RELAY", "AUDIT", "CLASSIFICATION", "NOTIFICATION"];
const PASSWORD: &str = "in-tests";
const DIRECTORY: &str = "nats";

pub(crate) struct Nats {
    pub(crate) process: Process,
    pub(crate) address: SocketAddr,
    /// As we see it.
    store: PathBuf,
}

impl Nats {
    pub(super) fn start(root: &Path, disk: Option<&Disk>) -> Self {
        let (inside, store) = match disk {
            Some(disk) => (Disk::seen_from_inside(DIRECTORY), disk.seen_from_outside(DIRECTORY)),
            None => (root.join(DIRECTORY), root.join(DIRECTORY)),
        };
        let configuration = root.join("nats-server.conf");
        std::fs::write(&configuration, CONFIGURATION).unwrap();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let port = address.port().to_string();
        let disk = disk.map(Disk::enter);
        let process = Process::supervise(DIRECTORY, root, move || {
            let mut server = bound_to_us();
            if let Some(disk) = &disk {
                server.arg("nsenter").args(disk);
            }
            server.arg("nats-server").arg("-c").arg(&configuration).arg("-sd").arg(&inside);
            server.args(["-a", "127.0.0.1", "-p", &port]);
            server.envs(CLIENTS.map(|client| (format!("NATS_{client}_PASSWORD"), PASSWORD)));
            server
        });
        Self { process, address, store }
    }

    /// The URL by way of `address`.
    pub(super) fn url(address: SocketAddr) -> String {
        format!("nats://docuvault:{PASSWORD}@{address}")
    }

    /// The sequence of the newest message; `None`: there is no stream, or nobody to ask.
    pub(crate) async fn last_sequence(&self) -> Option<i64> {
        let login = async_nats::ConnectOptions::with_user_and_password("docuvault".into(), PASSWORD.into());
        let client = login.connect(self.address.to_string()).await.ok()?;
        let stream = async_nats::jetstream::new(client).get_stream("docuvault").await.ok()?;
        i64::try_from(stream.cached_info().state.last_sequence).ok()
    }

    /// kill -9, and the whole store is gone when it starts again.
    pub(crate) async fn lose_everything(&self) {
        self.process.end_by(Signal::SIGKILL).await;
        drop(std::fs::remove_dir_all(&self.store));
        self.process.hold(false);
    }
}
