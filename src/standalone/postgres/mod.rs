//! The private PostgreSQL: a direct child that this process makes, starts, watches and stops. It listens on
//! loopback alone, asks for passwords, and ends when this process ends, however that happens.

mod binaries;
mod connect;
mod database;
mod initialize;
mod launch;
mod leftover;

use std::convert::Infallible;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::Child;
use tokio::time::{sleep, timeout};

use super::data_directory::DataDirectory;
use super::env_file::Settings;
use super::log_file;
use super::sockets::free_port;
use launch::Launch;

/// How PostgreSQL is asked to end, and how long each way may take: fast (roll back, then a checkpoint),
/// immediate (the next start recovers), and not at all asked.
const ENDINGS: [(Signal, Duration); 3] = [
    (Signal::SIGINT, Duration::from_secs(10)),
    (Signal::SIGQUIT, Duration::from_secs(10)),
    (Signal::SIGKILL, Duration::from_secs(10)),
];
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// With doubling pauses: about six seconds for what an earlier PostgreSQL left behind to go.
const START_ATTEMPTS: u32 = 7;
const LOG_CHECK_INTERVAL: Duration = Duration::from_mins(1);

pub(super) struct Postgres<'a> {
    data: &'a DataDirectory,
    programs: PathBuf,
    launch: Launch,
    port: u16,
    child: Option<Child>,
}

impl<'a> Postgres<'a> {
    /// Finds the programs, ends what an earlier run may have left, and makes the cluster at the first start.
    pub(super) async fn prepare(data: &'a DataDirectory) -> anyhow::Result<Self> {
        let programs = binaries::find(binaries::major_of_cluster(&data.postgres()))?;
        initialize::remove_unfinished(data);
        let launch = if data.postgres().exists() {
            leftover::end(&data.postgres()).await;
            Launch::choose(&data.postgres()).await?
        } else {
            initialize::run(data, &programs).await?
        };
        Ok(Self { data, programs, launch, port: 0, child: None })
    }

    /// Starts it and returns when it answers. The port of the last start is kept when it is free.
    pub(super) async fn start(&mut self, settings: &mut Settings) -> anyhow::Result<()> {
        let mut pause = FIRST_PAUSE;
        for attempt in 1.. {
            self.port =
                free_port(settings.postgres_port()).context("no free port for PostgreSQL on 127.0.0.1")?;
            match self.try_start().await {
                Ok(()) => break,
                Err(error) if attempt == START_ATTEMPTS => return Err(error),
                Err(error) => tracing::warn!("PostgreSQL does not start yet: {error:#}"),
            }
            sleep(pause).await;
            pause *= 2;
        }
        settings.set_postgres_port(self.port);
        Ok(())
    }

    /// Starts it again, on the same port, whenever it ends by itself.
    pub(super) async fn keep_alive(&mut self) -> Infallible {
        loop {
            self.wait_for_end().await;
            tracing::error!("PostgreSQL ended unexpectedly: starting it again");
            let mut pause = FIRST_PAUSE;
            while let Err(error) = self.try_start().await {
                tracing::error!("PostgreSQL does not start: {error:#}");
                sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            tracing::info!("PostgreSQL answers again");
        }
    }

    /// Stops it and returns when it has ended.
    pub(super) async fn stop(&mut self) {
        let Some(child) = &mut self.child else { return };
        for (signal, patience) in ENDINGS {
            let Some(pid) = child.id().and_then(|pid| i32::try_from(pid).ok()) else { return };
            // An error means that it has just ended, which the wait below finds.
            let _ = kill(Pid::from_raw(pid), signal);
            if timeout(patience, child.wait()).await.is_ok() {
                return;
            }
            tracing::warn!("PostgreSQL ignores {signal}");
        }
    }

    async fn wait_for_end(&mut self) {
        let Some(child) = &mut self.child else { return };
        while timeout(LOG_CHECK_INTERVAL, child.wait()).await.is_err() {
            log_file::bound(&self.data.postgres_log());
        }
    }

    async fn try_start(&mut self) -> anyhow::Result<()> {
        let log = log_file::open(&self.data.postgres_log())?;
        let directory = self.data.postgres();
        let seen_as = self.launch.seen_as(&directory).join("data");
        let mut command = self.launch.command(&directory, &self.programs.join("postgres"));
        command.arg("-D").arg(seen_as).args(settings_for(self.port));
        command.stdout(log.try_clone()?).stderr(log);
        let child = self.child.insert(launch::spawn(&mut command)?);

        let superuser = connect::superuser(&directory, self.port)?;
        tokio::select! {
            answered = connect::until_it_answers(&superuser) => answered,
            status = child.wait() => {
                let tail = log_file::tail(&self.data.postgres_log());
                anyhow::bail!("PostgreSQL ended with {}; its log says:\n{tail}", status?)
            }
        }
    }
}

/// Options of `postgres` for a small host, given here so that no file needs editing. Recovery syncs the file system
/// instead of a thousand files one by one: a restart after a crash takes half a second instead of five.
fn settings_for(port: u16) -> Vec<String> {
    [
        "listen_addresses=127.0.0.1",
        &format!("port={port}"),
        "unix_socket_directories=",
        "max_connections=100",
        "shared_buffers=128MB",
        "fsync=on",
        "synchronous_commit=on",
        "jit=off",
        "recovery_init_sync_method=syncfs",
        "timezone=UTC",
        "log_timezone=UTC",
        "log_destination=stderr",
        "logging_collector=off",
    ]
    .into_iter()
    .flat_map(|setting| ["-c".to_owned(), setting.to_owned()])
    .collect()
}
