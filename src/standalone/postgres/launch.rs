//! Starts PostgreSQL's programs as a user who may run them: the caller, or when that is root (whom PostgreSQL
//! refuses) an unprivileged one. That user often cannot enter the way to the data directory; then the program
//! gets a mount namespace of its own in which the directory is elsewhere too.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Stdio;

use anyhow::Context;
use nix::unistd::{User, geteuid};
use tokio::process::{Child, Command};

use crate::failure::Failure;

const UNPRIVILEGED_USER: &str = "postgres";
/// Every Linux system has it (FHS); only the child sees what is mounted over it.
const MOUNT_POINT: &str = "/mnt";
const MOUNT_AND_EXEC: &str = r#"mount --bind "$1" /mnt && shift && exec "$@""#;
/// Sent by the kernel when this process is gone. Fast shutdown: unlike an immediate one it leaves nothing to
/// recover, and a checkpoint of 128 MB of buffers ends sooner than the replay of up to 1 GB of WAL.
const ON_OUR_DEATH: &str = "SIGINT";

/// The user, and whether the directory has to be mounted for them.
pub(super) enum Launch {
    AsCaller,
    As(Account),
    InNamespace(Account),
}

#[derive(Clone, Copy)]
pub(super) struct Account {
    uid: u32,
    gid: u32,
}

impl Launch {
    /// `directory` exists; when we are root, its owner runs the programs.
    pub(super) async fn choose(directory: &Path) -> anyhow::Result<Self> {
        if !geteuid().is_root() {
            return Ok(Self::AsCaller);
        }
        let owner = std::fs::metadata(directory)?;
        let account = Account { uid: owner.uid(), gid: owner.gid() };
        let shown = directory.display();
        if account.uid == 0 {
            let problem = format!("PostgreSQL must not run as root, and {shown} belongs to root");
            let remedy = format!("give it to {UNPRIVILEGED_USER}: chown -R {UNPRIVILEGED_USER}: {shown}");
            return Err(Failure::new(problem, remedy).into());
        }
        for launch in [Self::As(account), Self::InNamespace(account)] {
            if launch.can_enter(directory).await? {
                return Ok(launch);
            }
        }
        let shown = directory.display();
        let problem =
            format!("PostgreSQL must not run as root, and user {} cannot enter {shown}", account.uid);
        let remedy =
            "choose a directory under one that everybody may enter with --data, or run as another user";
        Err(Failure::new(problem, remedy).into())
    }

    /// The command that runs `program`, in which `directory` is found at [`Launch::seen_as`].
    pub(super) fn command(&self, directory: &Path, program: &Path) -> Command {
        let mut command = match self {
            Self::AsCaller => Command::new("setpriv"),
            Self::As(account) => {
                let mut command = Command::new("setpriv");
                command.args(account.arguments());
                command
            }
            Self::InNamespace(account) => {
                let mut command = Command::new("unshare");
                command.args(["--mount", "sh", "-c", MOUNT_AND_EXEC, "sh"]).arg(directory);
                command.arg("setpriv").args(account.arguments());
                command
            }
        };
        command.args(["--pdeathsig", ON_OUR_DEATH, "--"]).arg(program);
        // The caller's environment may hold secrets and settings of another PostgreSQL.
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("LC_ALL", "C");
        // Ctrl-C in the terminal is for us; we stop PostgreSQL after the last request.
        command.current_dir("/").process_group(0).kill_on_drop(true).stdin(Stdio::null());
        command
    }

    pub(super) fn seen_as<'a>(&self, directory: &'a Path) -> &'a Path {
        match self {
            Self::InNamespace(_) => Path::new(MOUNT_POINT),
            Self::AsCaller | Self::As(_) => directory,
        }
    }

    async fn can_enter(&self, directory: &Path) -> anyhow::Result<bool> {
        let mut test = self.command(directory, Path::new("test"));
        test.arg("-w").arg(self.seen_as(directory)).stdout(Stdio::null()).stderr(Stdio::null());
        Ok(spawn(&mut test)?.wait().await?.success())
    }
}

impl Account {
    fn arguments(self) -> [String; 5] {
        let Self { uid, gid } = self;
        ["--reuid".into(), uid.to_string(), "--regid".into(), gid.to_string(), "--clear-groups".into()]
    }
}

/// Gives a new directory to the user who will run PostgreSQL in it.
pub(super) fn hand_over(paths: &[&Path]) -> anyhow::Result<()> {
    if !geteuid().is_root() {
        return Ok(());
    }
    let user = User::from_name(UNPRIVILEGED_USER)?.ok_or_else(|| {
        let problem = format!("PostgreSQL must not run as root, and there is no user {UNPRIVILEGED_USER}");
        Failure::new(problem, "make it: useradd --system postgres (or `make setup` in the source tree)")
    })?;
    for path in paths {
        std::os::unix::fs::chown(path, Some(user.uid.as_raw()), Some(user.gid.as_raw()))
            .with_context(|| format!("cannot give {} to {UNPRIVILEGED_USER}", path.display()))?;
    }
    Ok(())
}

/// Starts the command. Call it on the main thread (see `ON_OUR_DEATH`: the kernel minds the thread).
pub(super) fn spawn(command: &mut Command) -> anyhow::Result<Child> {
    command.spawn().map_err(|error| {
        let program = command.as_std().get_program().to_string_lossy().into_owned();
        if error.kind() == io::ErrorKind::NotFound {
            let remedy = "install it: apt-get install util-linux";
            return Failure::new(format!("{program} is not installed on this machine"), remedy).into();
        }
        anyhow::Error::new(error).context(format!("cannot start {program}"))
    })
}
