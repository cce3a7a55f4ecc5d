//! Whatever state a session is in, or somebody else's is, the door does the same.

use std::time::Duration;

use sqlx::{Executor, PgPool};

use super::{Append, append, code, outcomes, send};
use crate::vault::{self, new_id};

#[sqlx::test(migrations = "../migrations")]
async fn it_opens_only_at_read_committed(admin: PgPool) {
    let pool = vault::app_pool(vault::app_options(&admin));
    let mut app = pool.acquire().await.unwrap();
    for level in ["REPEATABLE READ", "SERIALIZABLE"] {
        app.execute(format!("BEGIN ISOLATION LEVEL {level}").as_str()).await.unwrap();
        assert_eq!(code(&send(&mut app, &[append(&[], &[1])]).await.unwrap_err()), "0A000", "{level}");
        app.execute("ROLLBACK").await.unwrap();
    }
    assert!(vault::positions(&admin).await.is_empty());
}

/// F12: the application's role cannot hold the gate by falling silent.
#[sqlx::test(migrations = "../migrations")]
async fn a_session_that_idles_behind_the_door_is_ended(admin: PgPool) {
    let pool = vault::app_pool(vault::app_options(&admin));
    let mut stuck = pool.acquire().await.unwrap();
    stuck.execute("BEGIN").await.unwrap();
    send(&mut stuck, &[append(&[], &[1])]).await.unwrap();
    let mut other = pool.acquire().await.unwrap();
    let appended = tokio::time::timeout(Duration::from_mins(1), send(&mut other, &[append(&[], &[1])])).await;
    assert_eq!(outcomes(&appended.expect("the gate opens again").unwrap()), ["appended"]);
    assert_eq!(vault::positions(&admin).await, [1], "what the stuck one did is undone");
    assert!(stuck.execute("COMMIT").await.is_err());
}

#[sqlx::test(migrations = "../migrations")]
async fn a_commit_is_durable_whatever_the_session_says(admin: PgPool) {
    let pool = vault::app_pool(vault::app_options(&admin));
    let mut app = pool.acquire().await.unwrap();
    app.execute("SET synchronous_commit = off; BEGIN").await.unwrap();
    send(&mut app, &[append(&[], &[1])]).await.unwrap();
    let setting: String = sqlx::query_scalar("SHOW synchronous_commit").fetch_one(&mut *app).await.unwrap();
    assert_eq!(setting, "on");
}

#[sqlx::test(migrations = "../migrations")]
async fn a_search_path_cannot_lead_it_astray(admin: PgPool) {
    let pool = vault::app_pool(vault::app_options(&admin));
    let mut app = pool.acquire().await.unwrap();
    app.execute(
        "CREATE TEMP TABLE events (LIKE public.events);
         CREATE TEMP TABLE user_keys (LIKE public.user_keys);
         CREATE TEMP TABLE log_gate ();
         CREATE FUNCTION pg_temp.event_leaf_hash(bigint, uuid, uuid, text, text, bigint, text, text, bigint, text, text)
             RETURNS bytea LANGUAGE sql RETURN 'forged'::bytea;
         CREATE FUNCTION pg_temp.clock_timestamp() RETURNS timestamptz LANGUAGE sql RETURN 'epoch'::timestamptz;
         SET search_path = pg_temp, public, pg_catalog",
    )
    .await
    .unwrap();
    let unknown = Append { subject: Some(new_id()), ..append(&[], &[1]) };
    let answer = send(&mut app, &[append(&[], &[1]), unknown]).await.unwrap();
    assert_eq!(outcomes(&answer), ["appended", "no_key"]);
    let genuine: bool = sqlx::query_scalar(
        "SELECT bool_and(octet_length(leaf_hash) = 32 AND recorded_at > now() - interval '1 hour') FROM events",
    )
    .fetch_one(&admin)
    .await
    .unwrap();
    assert!(genuine);
}

#[sqlx::test(migrations = "../migrations")]
async fn time_never_runs_backwards(admin: PgPool) {
    let pool = vault::app_pool(vault::app_options(&admin));
    let mut app = pool.acquire().await.unwrap();
    admin
        .execute(
            "INSERT INTO events VALUES (1, gen_random_uuid(), gen_random_uuid(), 't', 'z', 1, 'Happened', '1.0', '{}', '{}',
                                        '2999-01-01', '\\x00')",
        )
        .await
        .unwrap();
    send(&mut app, &[append(&[], &[1])]).await.unwrap();
    let same: bool =
        sqlx::query_scalar("SELECT count(DISTINCT recorded_at) = 1 AND count(*) = 2 FROM events")
            .fetch_one(&admin)
            .await
            .unwrap();
    assert!(same);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_transaction_left_open_elsewhere_changes_nothing(admin: PgPool) {
    let pool = vault::app_pool(vault::app_options(&admin));
    let mut app = pool.acquire().await.unwrap();
    let mut idle = pool.acquire().await.unwrap();
    idle.execute(
        "BEGIN ISOLATION LEVEL REPEATABLE READ; INSERT INTO email_claims VALUES ('\\x01', gen_random_uuid())",
    )
    .await
    .unwrap();
    let seen: i64 = sqlx::query_scalar("SELECT count(*) FROM events").fetch_one(&mut *idle).await.unwrap();
    assert_eq!(seen, 0);
    send(&mut app, &[append(&[], &[1])]).await.unwrap();
    assert_eq!(vault::positions(&admin).await, [1]);
}
