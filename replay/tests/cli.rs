//! The command line from outside: exit codes, formats, and where it looks for the database.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::{Output, Stdio};

use sqlx::PgPool;
use tokio::process::Command;

async fn replay(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_docuvault-replay"));
    command.args(arguments).env_remove("DATABASE_URL").env_remove("DOCUVAULT_MASTER_KEY_FILE");
    command.output().await.unwrap()
}

/// An env file for the database of a test.
async fn env_file(pool: &PgPool, directory: &Path) -> String {
    let database: String = sqlx::query_scalar("SELECT current_database()").fetch_one(pool).await.unwrap();
    let url = std::env::var("DATABASE_URL").unwrap();
    let (server, _) = url.rsplit_once('/').unwrap();
    let path = directory.join("env");
    std::fs::write(&path, format!("# standalone\nDATABASE_URL={server}/{database}\n")).unwrap();
    path.to_str().unwrap().to_owned()
}

#[sqlx::test(migrations = "../migrations")]
async fn verify_answers_by_exit_code(pool: PgPool) {
    let directory = tempfile::tempdir().unwrap();
    let env_file = env_file(&pool, directory.path()).await;

    let sound = replay(&["verify", "--env-file", &env_file]).await;
    assert_eq!(sound.status.code(), Some(0), "{sound:?}");
    let text = String::from_utf8(sound.stdout).unwrap();
    assert!(text.starts_with("sound"), "{text}");
    assert!(text.contains("projections not compared: no master key"), "{text}");

    let forged =
        "INSERT INTO events SELECT 1, gen_random_uuid(), gen_random_uuid(), 'user', 'x', 1, 'UserRegistered',
                  '1.0', '{}', '{}', now(), ''";
    sqlx::query(forged).execute(&pool).await.unwrap();
    let tampered = replay(&["--env-file", &env_file, "verify", "--format", "json"]).await;
    assert_eq!(tampered.status.code(), Some(1), "{tampered:?}");
    let report: serde_json::Value = serde_json::from_slice(&tampered.stdout).unwrap();
    assert_eq!((&report["sound"], &report["first_bad_position"]), (&false.into(), &1.into()));

    for format in ["table", "json"] {
        let mut unread = Command::new(env!("CARGO_BIN_EXE_docuvault-replay"))
            .args(["--env-file", &env_file, "verify", "--format", format])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        drop(unread.stdout.take());
        let verdict = unread.wait().await.unwrap();
        assert_eq!(verdict.code(), Some(1), "nobody read the report, and it passed for sound");
    }

    let stream = replay(&["history", "--stream", "x", "--from", "2020-01-01", "--env-file", &env_file]).await;
    assert_eq!(stream.status.code(), Some(2), "an event that cannot be read is not passed over: {stream:?}");
    let nothing = replay(&["history", "--stream", "x", "--to", "2020-01-01", "--env-file", &env_file]).await;
    assert_eq!(nothing.status.code(), Some(0), "{nothing:?}");
}

#[tokio::test]
async fn what_cannot_run_says_why() {
    let unset = replay(&["verify"]).await;
    assert_eq!(unset.status.code(), Some(2));
    let message = String::from_utf8(unset.stderr).unwrap();
    assert!(message.contains("DATABASE_URL is not set"), "{message}");

    assert_eq!(replay(&["verify", "--env-file", "/nonexistent"]).await.status.code(), Some(2));
    assert_eq!(replay(&["history"]).await.status.code(), Some(2));
    assert_eq!(replay(&["history", "--document", "not-an-id"]).await.status.code(), Some(2));
    assert_eq!(replay(&["--help"]).await.status.code(), Some(0));
}
