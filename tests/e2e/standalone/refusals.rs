//! What stops a start, and that the message says what to do.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;

use nix::sys::signal::Signal;
use nix::unistd::geteuid;
use tempfile::TempDir;
use tokio::process::Command;

use super::vault::{Vault, docuvault, refusal, standalone};

#[tokio::test]
async fn a_second_process_on_the_same_data_is_refused() {
    let directory = TempDir::new().unwrap();
    let vault = Vault::start(directory.path()).await;
    let message = refusal(standalone(directory.path())).await;
    let holder = format!("is in use by a running docuvault (pid {})", vault.pid());
    assert!(message.contains(&holder) && message.contains("--data"), "{message}");
    assert!(vault.connect("DATABASE_URL").await.is_ok(), "the first one was disturbed");
    vault.end_by(Signal::SIGTERM).await;
}

#[tokio::test]
async fn a_taken_port_is_named_before_anything_is_made() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for flag in ["--listen", "--s3-listen"] {
        let directory = TempDir::new().unwrap();
        let data =
            if flag == "--listen" { directory.path().join("new") } else { directory.path().to_owned() };
        let mut command = docuvault();
        command.arg("standalone").arg("--data").arg(&data);
        if flag == "--s3-listen" {
            command.args(["--listen", "127.0.0.1:0"]);
        }
        let message = refusal({
            command.args([flag, &address]);
            command
        })
        .await;
        let port = taken.local_addr().unwrap().port();
        assert!(message.contains(&format!("port {port} on 127.0.0.1 is taken")), "{message}");
        assert!(message.contains(flag), "{message}");
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0, "something was left behind");
    }
}

#[tokio::test]
async fn a_master_key_that_others_can_read_or_that_is_gone_is_refused() {
    let directory = TempDir::new().unwrap();
    let vault = Vault::start(directory.path()).await;
    vault.end_by(Signal::SIGTERM).await;
    let key = directory.path().join("keys/master.key");

    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    let message = refusal(standalone(directory.path())).await;
    assert!(message.contains("chmod 600"), "{message}");

    std::fs::remove_file(&key).unwrap();
    let message = refusal(standalone(directory.path())).await;
    assert!(message.contains("master.key is gone"), "{message}");
    assert!(!key.exists());
}

/// A mount namespace in which Debian's directory of PostgreSQL versions is empty.
#[tokio::test]
async fn a_machine_without_postgresql_is_told_how_to_get_it() {
    let directory = TempDir::new().unwrap();
    let mut command = Command::new("unshare");
    command.arg("--mount");
    if !geteuid().is_root() {
        command.arg("--map-root-user");
    }
    let hide = r#"mount -t tmpfs none /usr/lib/postgresql && exec "$0" "$@""#;
    command.args([
        "sh",
        "-c",
        hide,
        env!("CARGO_BIN_EXE_docuvault"),
        "standalone",
        "--listen",
        "127.0.0.1:0",
    ]);
    command.arg("--data").arg(directory.path()).env("PATH", "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    let message = refusal(command).await;
    assert!(message.contains("apt-get install postgresql"), "{message}");
}

#[tokio::test]
async fn a_wrong_variable_is_named() {
    let directory = TempDir::new().unwrap();
    for (name, value) in [("DOCUVAULT_LOG", "a=loudly"), ("DOCUVAULT_DEFAULT_QUOTA", "much")] {
        let mut command = standalone(directory.path());
        command.env(name, value);
        let message = refusal(command).await;
        assert!(message.contains(&format!("{name} is wrong")), "{message}");
    }
    let mut serve = docuvault();
    serve.arg("serve");
    let message = refusal(serve).await;
    assert!(message.contains("DATABASE_URL is not set"), "{message}");
}
