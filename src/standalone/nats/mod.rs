//! The private nats-server: a direct child that listens on loopback alone, knows our own clients only, and ends when
//! this process ends, however that happens. Nothing depends on it but what is derived from the log: its death hurts
//! no request, and what it has lost the relay publishes again.

mod binary;

use std::convert::Infallible;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

pub(super) use binary::find;

use super::data_directory::DataDirectory;
use super::env_file::{NatsPasswords, Settings};
use super::log_file;
use super::sockets::free_port;
use crate::private_file;

/// Permissions by client; passwords come from the child's environment.
const CONFIGURATION: &str = include_str!("../../../deploy/nats-server.conf");

const STOP_TIME: Duration = Duration::from_secs(5);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// A server that has run for so long ended for a reason of its own: it is started again at once.
const SETTLED: Duration = Duration::from_secs(30);
/// How often its log and its files are looked at.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

pub(super) struct Nats<'a> {
    data: &'a DataDirectory,
    program: PathBuf,
    port: u16,
    passwords: Vec<(String, String)>,
    child: Option<Child>,
}

impl<'a> Nats<'a> {
    /// Chooses the port, the one of the last start when it is free, and writes it down.
    pub(super) fn prepare(
        data: &'a DataDirectory,
        program: PathBuf,
        settings: &mut Settings,
    ) -> anyhow::Result<Self> {
        let port = free_port(settings.nats_port()).context("no free port for nats-server on 127.0.0.1")?;
        settings.set_nats_port(port);
        let NatsPasswords { shared, own } = settings.nats_passwords();
        let own = own.iter().map(|(client, password)| (*client, password));
        let passwords = own.chain([("shared", shared)]).map(|(client, password)| {
            (format!("NATS_{}_PASSWORD", client.to_uppercase()), password.to_owned())
        });
        let passwords = passwords.collect();
        Ok(Self { data, program, port, passwords, child: None })
    }

    /// Starts it, and again whenever it ends.
    pub(super) async fn keep_alive(&mut self) -> Infallible {
        let mut pause = FIRST_PAUSE;
        let (log, configuration) = (self.data.nats_log(), self.configuration());
        loop {
            let started = Instant::now();
            match self.start() {
                Ok(child) => {
                    while timeout(CHECK_INTERVAL, child.wait()).await.is_err() {
                        log_file::bound(&log);
                        if !configuration.exists() {
                            tracing::error!("the files of nats-server were deleted under it");
                            // An error means that it has just ended.
                            let _ = child.kill().await;
                            break;
                        }
                    }
                    tracing::error!(log = %log.display(), "nats-server ended unexpectedly");
                }
                Err(error) => tracing::error!("nats-server does not start: {error:#}"),
            }
            pause = if started.elapsed() > SETTLED { FIRST_PAUSE } else { (pause * 2).min(LONGEST_PAUSE) };
            sleep(pause).await;
        }
    }

    /// Stops it and returns when it has ended.
    pub(super) async fn stop(&mut self) {
        let Some(child) = &mut self.child else { return };
        let Some(pid) = child.id().and_then(|pid| i32::try_from(pid).ok()) else { return };
        // An error means that it has just ended, which the wait below finds.
        let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        if timeout(STOP_TIME, child.wait()).await.is_err() {
            let _ = child.kill().await;
        }
    }

    fn configuration(&self) -> PathBuf {
        self.data.nats().join("nats-server.conf")
    }

    fn start(&mut self) -> anyhow::Result<&mut Child> {
        let directory = self.data.nats();
        private_file::make_directory(&directory)?;
        let configuration = self.configuration();
        private_file::replace(&configuration, CONFIGURATION)?;
        let log = log_file::open(&self.data.nats_log())?;
        let mut command = Command::new("setpriv");
        // What it has acknowledged is on disk: the kernel may end it the hard way when this process is gone.
        command.args(["--pdeathsig", "SIGKILL", "--"]).arg(&self.program);
        command.arg("-c").arg(configuration).arg("-sd").arg(&directory);
        command.args(["-a", "127.0.0.1", "-p", &self.port.to_string()]);
        command.env_clear().envs(self.passwords.iter().map(|(name, password)| (name, password)));
        // Ctrl-C in the terminal is for us.
        command.current_dir("/").process_group(0).kill_on_drop(true).stdin(Stdio::null());
        command.stdout(log.try_clone()?).stderr(log);
        Ok(self.child.insert(command.spawn().context("cannot start setpriv")?))
    }
}
