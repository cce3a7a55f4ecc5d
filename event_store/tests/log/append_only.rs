//! The log only grows (attack W11): by privilege for the application, by trigger for everybody else.

use sqlx::{Executor, PgPool};

use crate::vault;

async fn refused(connection: impl Executor<'_, Database = sqlx::Postgres>, statement: &str) {
    let error = connection.execute(statement).await.expect_err(statement);
    let code =
        error.as_database_error().and_then(sqlx::error::DatabaseError::code).unwrap_or_default().into_owned();
    assert_eq!(code, "42501", "{statement}: {error}");
}

#[sqlx::test(migrations = "../migrations")]
async fn the_application_cannot_write_around_the_door(admin: PgPool) {
    let store = vault::store(&admin).await;
    vault::register(&store).await;
    for statement in [
        "INSERT INTO events SELECT 2, gen_random_uuid(), owner_id, 't', 'a', 1, event_type, '1.0', '{}', '{}', now(), '\\x' FROM events",
        "UPDATE events SET payload = '{}'",
        "DELETE FROM events",
        "TRUNCATE events",
        "DO $$ BEGIN LOCK log_gate; END $$",
        "DO $$ BEGIN LOCK log_gate IN ACCESS SHARE MODE; END $$",
        "SELECT * FROM log_gate",
        "UPDATE log_identity SET lineage = gen_random_uuid()",
        "SELECT position FROM events FOR UPDATE",
        "SET ROLE docuvault_log",
        "CREATE TABLE public.mine ()",
    ] {
        refused(store.pool(), statement).await;
    }
    for statement in [
        "ALTER TABLE events DISABLE TRIGGER ALL",
        "DROP TABLE events",
        "SET session_replication_role = replica",
    ] {
        let error = store.pool().execute(statement).await.expect_err(statement);
        assert!(
            error.as_database_error().is_some_and(|error| error.code().as_deref() == Some("42501")),
            "{error}"
        );
    }
    assert_eq!(vault::positions(&admin).await, [1]);
}

#[sqlx::test(migrations = "../migrations")]
async fn its_owner_cannot_change_it_either(admin: PgPool) {
    vault::register(&vault::store(&admin).await).await;
    for role in ["docuvault_migrate", "docuvault_log"] {
        let mut connection = admin.acquire().await.unwrap();
        connection.execute(format!("SET ROLE {role}").as_str()).await.unwrap();
        for statement in ["UPDATE events SET payload = '{}'", "DELETE FROM events", "TRUNCATE events"] {
            refused(&mut *connection, statement).await;
        }
    }
    // Enabled `A`lways: session_replication_role = replica does not switch them off.
    let modes: Vec<(String, String)> = sqlx::query_as(
        "SELECT tgname::text, tgenabled::text FROM pg_trigger WHERE tgrelid = 'events'::regclass AND NOT tgisinternal ORDER BY 1",
    )
    .fetch_all(&admin)
    .await
    .unwrap();
    assert_eq!(modes, [("append_only".into(), "A".into()), ("never_truncated".into(), "A".into())]);
}
