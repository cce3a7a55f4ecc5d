use std::os::unix::fs::PermissionsExt;

use tempfile::TempDir;

use crate::config::Environment;

use super::data_directory::DataDirectory;
use super::env_file::Settings;
use super::master_key;

#[test]
fn the_env_file_keeps_ports_and_secrets_over_restarts() {
    let directory = TempDir::new().unwrap();
    let data = DataDirectory::open(directory.path()).unwrap();
    let mut first = Settings::load(&data).unwrap();
    first.set_postgres_port(5499);
    first.set("S3_ENDPOINT", "http://127.0.0.1:9123");
    first.save(&data, "127.0.0.1:9464".parse().unwrap()).unwrap();
    let mode = std::fs::metadata(data.env_file()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let mut second = Settings::load(&data).unwrap();
    assert_eq!(second.postgres_port(), Some(5499));
    assert_eq!(second.s3_address().unwrap().to_string(), "127.0.0.1:9123");
    assert!(second.environment().iter().eq(first.environment().iter()));
    assert_eq!(second.app_login(), first.app_login());

    second.set_postgres_port(5500);
    assert_eq!(second.postgres_port(), Some(5500));
    assert_eq!(second.migrate_login(), first.migrate_login());
}

#[test]
fn a_master_key_is_made_once_and_never_for_an_existing_vault() {
    let directory = TempDir::new().unwrap();
    let data = DataDirectory::open(directory.path()).unwrap();
    let mut settings = Settings::load(&data).unwrap();
    let mut provide = || master_key::provide(&data, &Environment::default(), &mut settings);

    provide().unwrap();
    let key = std::fs::read_to_string(data.master_key()).unwrap();
    provide().unwrap();
    assert_eq!(std::fs::read_to_string(data.master_key()).unwrap(), key);

    std::fs::create_dir(data.postgres()).unwrap();
    std::fs::remove_file(data.master_key()).unwrap();
    let error = provide().unwrap_err().to_string();
    assert!(error.contains("is gone"), "{error}");
    assert!(!data.master_key().exists());
}

#[test]
fn a_data_directory_serves_one_process() {
    let directory = TempDir::new().unwrap();
    let first = DataDirectory::open(directory.path()).unwrap();
    let error = DataDirectory::open(directory.path()).err().unwrap().to_string();
    let holder = format!("is in use by a running docuvault (pid {})", std::process::id());
    assert!(error.contains(&holder), "{error}");
    drop(first);
    DataDirectory::open(directory.path()).unwrap();
}
