//! First start, warm start, and the places a vault may live in.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use sqlx::Row;
use tempfile::TempDir;

use super::vault::{Vault, docuvault, server_processes, standalone};

const WARM_START_LIMIT: Duration = Duration::from_secs(3);

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn a_first_start_leaves_all_that_other_commands_need() {
    let directory = TempDir::new().unwrap();
    let data = directory.path().join("data");
    let vault = Vault::start(&data).await;

    let env = vault.env();
    assert_eq!(vault.ready_line, format!("docuvault ready at {}", env["DOCUVAULT_PUBLIC_URL"]));
    for name in ["S3_ENDPOINT", "S3_PUBLIC_ENDPOINT", "S3_REGION", "S3_BUCKET", "S3_ACCESS_KEY_ID"] {
        assert!(!env[name].is_empty(), "{name}");
    }
    let metrics = reqwest::get(format!("http://{}/metrics", vault.metrics_address())).await.unwrap();
    assert_eq!(metrics.status(), 200);
    assert_eq!(mode(&vault.env_file()), 0o600);
    assert_eq!(mode(Path::new(&env["DOCUVAULT_MASTER_KEY_FILE"])), 0o600);
    for arguments in [["migrate", "--env-file"], ["--env-file", "migrate"]] {
        let mut command = docuvault();
        for argument in arguments {
            command.arg(argument);
            if argument == "--env-file" {
                command.arg(vault.env_file());
            }
        }
        assert!(command.status().await.unwrap().success(), "{arguments:?}");
    }

    assert_eq!(vault.end_by(Signal::SIGTERM).await.code(), Some(0));
    assert_eq!(server_processes(&data), Vec::<String>::new());
    assert!(std::fs::read_dir(directory.path()).unwrap().count() == 1, "something was written beside DATA");
}

#[tokio::test]
async fn the_roles_have_the_rights_of_the_design_and_no_more() {
    let directory = TempDir::new().unwrap();
    let vault = Vault::start(directory.path()).await;
    let mut app = vault.connect("DATABASE_URL").await.unwrap();
    let mut migrate = vault.connect("DATABASE_MIGRATE_URL").await.unwrap();

    let refused = sqlx::query("CREATE TABLE public.mine ()").execute(&mut app).await.unwrap_err();
    assert_eq!(refused.into_database_error().unwrap().code().as_deref(), Some("42501"));
    sqlx::raw_sql("CREATE TABLE public.owned (); ALTER TABLE public.owned OWNER TO docuvault_log")
        .execute(&mut migrate)
        .await
        .unwrap();
    let settings = sqlx::query(
        "SELECT current_setting('data_checksums'), current_setting('fsync'), current_setting('server_encoding')",
    )
    .fetch_one(&mut app)
    .await
    .unwrap();
    let settings: [String; 3] = std::array::from_fn(|column| settings.get(column));
    assert_eq!(settings, ["on", "on", "UTF8"]);
    let logins: Vec<String> = sqlx::query_scalar(
        "SELECT rolname::text FROM pg_roles WHERE rolcanlogin AND NOT rolsuper ORDER BY 1",
    )
    .fetch_all(&mut app)
    .await
    .unwrap();
    assert_eq!(logins, ["docuvault_app", "docuvault_migrate"]);
    vault.end_by(Signal::SIGTERM).await;
}

#[tokio::test]
async fn a_warm_start_is_quick_and_changes_no_secret() {
    let directory = TempDir::new().unwrap();
    let first = Vault::start(directory.path()).await;
    let before = first.env();
    assert_eq!(first.end_by(Signal::SIGINT).await.code(), Some(0));

    let begun = Instant::now();
    let second = Vault::start(directory.path()).await;
    let took = begun.elapsed();
    assert!(took <= WARM_START_LIMIT, "{took:?}");
    let after = second.env();
    for (name, value) in &before {
        // Each start of this test listens at a port of its own.
        assert!(name == "DOCUVAULT_PUBLIC_URL" || after[name] == *value, "{name} changed");
    }
    second.end_by(Signal::SIGTERM).await;
}

#[tokio::test]
async fn the_way_to_the_data_directory_may_be_open_or_closed_to_others() {
    for mode in [0o755, 0o700] {
        let parent = TempDir::new().unwrap();
        std::fs::set_permissions(parent.path(), std::fs::Permissions::from_mode(mode)).unwrap();
        let data = parent.path().join("data");
        let vault = Vault::start(&data).await;
        assert!(vault.connect("DATABASE_URL").await.is_ok());
        assert_eq!(vault.end_by(Signal::SIGTERM).await.code(), Some(0));
        assert_eq!(server_processes(&data), Vec::<String>::new());
    }
}

#[tokio::test]
async fn the_environment_names_no_other_database_or_store() {
    let directory = TempDir::new().unwrap();
    let mut command = standalone(directory.path());
    command.env("DATABASE_URL", "postgres://nobody@192.0.2.1/none").env("S3_ENDPOINT", "nonsense");
    command.env("DOCUVAULT_PUBLIC_URL", "https://vault.example.com");
    let vault = Vault::spawn(directory.path(), command).await;
    assert_eq!(vault.ready_line, "docuvault ready at https://vault.example.com");
    assert!(vault.connect("DATABASE_URL").await.is_ok());
    vault.end_by(Signal::SIGTERM).await;
}
