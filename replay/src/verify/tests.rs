use projections::Subscriptions;
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::tests::Past;

async fn check(past: &Past) -> Report {
    verify(&past.source(true), &mut |_, _, _| {}).await.unwrap()
}

/// What whoever owns the tables can do behind the system's back.
async fn tamper(pool: &PgPool, sql: &str) {
    sqlx::query("ALTER TABLE events DISABLE TRIGGER ALL").execute(pool).await.unwrap();
    sqlx::raw_sql(sql).execute(pool).await.unwrap();
}

/// Appends an event behind the system's back, with the hash that it must have.
async fn forge(pool: &PgPool, like: i64, sequence: i64, event_type: &str, payload: &str) {
    let insert = "
        INSERT INTO events
        SELECT head + 1, id, owner_id, aggregate_type, aggregate_id, $2, $3, event_version, $4::json, '{}', recorded_at,
               event_leaf_hash(head + 1, id, owner_id, aggregate_type, aggregate_id, $2, $3, event_version,
                               (extract(epoch FROM recorded_at) * 1000000)::bigint, $4, '{}')
        FROM (SELECT owner_id, aggregate_type, aggregate_id, event_version FROM events WHERE position = $1) alike,
             (SELECT max(position) AS head, max(recorded_at) AS recorded_at, gen_random_uuid() AS id FROM events) log";
    tamper(pool, "SELECT").await;
    let insert = sqlx::query(insert).bind(like).bind(sequence).bind(event_type).bind(payload);
    insert.execute(pool).await.unwrap();
}

async fn position_of(pool: &PgPool, event_type: &str) -> i64 {
    let first = "SELECT min(position) FROM events WHERE event_type = $1";
    sqlx::query_scalar(first).bind(event_type).fetch_one(pool).await.unwrap()
}

fn assert_first_bad(report: &Report, position: i64, problem: &str) {
    assert_eq!(report.first_bad_position, Some(position), "{report:#?}");
    assert!(!report.sound);
    let found = |finding: &&Finding| finding.position == Some(position) && finding.problem.contains(problem);
    assert!(report.findings.iter().find(found).is_some(), "{report:#?}");
}

#[sqlx::test(migrations = "../migrations")]
async fn an_honest_vault_is_sound(pool: PgPool) {
    let past = Past::new(&pool).await;
    let report = check(&past).await;
    assert!(report.sound, "{report:#?}");
    assert_eq!((report.head, report.streams), (past.head, 2 + 2 + 4));
    let compared: Vec<_> = report.projections.iter().map(|one| (one.name, one.position, one.rows)).collect();
    let (head, changes) = (past.head, 3 + 4 + 2 + 2);
    assert_eq!(
        compared,
        [
            ("document_listing", head, 2),
            ("document_history", head, changes),
            ("document_search", head, 2),
            ("quota_usage", head, 2),
            ("user_directory", head, 2),
            ("audit_trail", head, head),
        ]
    );

    let without_keys = verify(&past.source(false), &mut |_, _, _| {}).await.unwrap();
    assert!(without_keys.sound);
    assert!(without_keys.not_checked.iter().any(|what| what.contains("no master key")));
}

#[sqlx::test(migrations = "../migrations")]
async fn it_runs_beside_a_live_server(pool: PgPool) {
    let past = Past::new(&pool).await;
    let stop = CancellationToken::new();
    let store = past.vault.store.clone();
    let subscriptions = Subscriptions { head: store.watch(stop.clone()), store, alone: true };
    for projection in projections::all() {
        tokio::spawn(subscriptions.clone().project(projection, stop.clone()));
    }
    let writing = async {
        for number in 0..60 {
            past.vault.upload_done(past.alice, &format!("document {number}"), 1).await;
        }
    };
    let checking = async {
        for _ in 0..4 {
            let report = check(&past).await;
            assert!(report.sound, "{report:#?}");
        }
    };
    tokio::join!(writing, checking);
    stop.cancel();
}

#[sqlx::test(migrations = "../migrations")]
async fn an_empty_log_is_sound(pool: PgPool) {
    let vault = crate::fixture::Vault::open(&pool).await;
    let source = Source { pool: vault.pool().clone(), store: Some(vault.store) };
    let report = verify(&source, &mut |_, _, _| {}).await.unwrap();
    assert!(report.sound, "{report:#?}");
}

/// W11, W12: the way to change the log behind the system's back shows while it is open.
#[sqlx::test(migrations = "../migrations")]
async fn an_open_way_into_the_log_is_named(pool: PgPool) {
    let past = Past::new(&pool).await;
    for (open, close, problem) in [
        (
            "ALTER TABLE events DISABLE TRIGGER append_only",
            "ALTER TABLE events ENABLE ALWAYS TRIGGER append_only",
            "`append_only`",
        ),
        (
            "ALTER TABLE events ENABLE TRIGGER never_truncated",
            "ALTER TABLE events ENABLE ALWAYS TRIGGER never_truncated",
            "`never_truncated`",
        ),
        (
            "GRANT INSERT, UPDATE ON events TO docuvault_app",
            "REVOKE INSERT, UPDATE ON events FROM docuvault_app",
            "docuvault_app may UPDATE the table `events`",
        ),
        (
            "GRANT DELETE ON events TO PUBLIC",
            "REVOKE DELETE ON events FROM PUBLIC",
            "everybody may DELETE the table `events`",
        ),
        (
            "GRANT UPDATE (payload) ON events TO docuvault_app",
            "REVOKE UPDATE (payload) ON events FROM docuvault_app",
            "docuvault_app may UPDATE",
        ),
        (
            "GRANT SELECT ON log_gate TO docuvault_app",
            "REVOKE SELECT ON log_gate FROM docuvault_app",
            "the table `log_gate`",
        ),
        (
            "ALTER TABLE events OWNER TO docuvault_migrate",
            "ALTER TABLE events OWNER TO docuvault_log",
            "belongs to docuvault_migrate",
        ),
        (
            "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END'",
            "SELECT",
            "`append_only`",
        ),
    ] {
        sqlx::raw_sql(open).execute(&pool).await.unwrap();
        let report = check(&past).await;
        assert_eq!((report.sound, report.first_bad_position), (false, None), "{open}");
        assert!(report.findings.iter().any(|one| one.problem.contains(problem)), "{open}: {report:#?}");
        sqlx::raw_sql(close).execute(&pool).await.unwrap();
        assert!(close == "SELECT" || check(&past).await.sound, "{close}");
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn a_flipped_byte_is_named(pool: PgPool) {
    let past = Past::new(&pool).await;
    let position = position_of(&pool, "UploadRequested").await;
    let flip =
        "UPDATE events SET payload = replace(payload::text, 'application/pdf', 'application/pdg')::json";
    tamper(&pool, &format!("{flip} WHERE position = {position}")).await;
    assert_first_bad(&check(&past).await, position, "leaf hash");
}

#[sqlx::test(migrations = "../migrations")]
async fn a_moved_clock_is_named(pool: PgPool) {
    let past = Past::new(&pool).await;
    tamper(&pool, "UPDATE events SET recorded_at = recorded_at - interval '1 hour' WHERE position = 6").await;
    let report = check(&past).await;
    assert_first_bad(&report, 6, "leaf hash");
    assert_first_bad(&report, 6, "before its predecessor");
}

#[sqlx::test(migrations = "../migrations")]
async fn a_deleted_row_is_named(pool: PgPool) {
    let past = Past::new(&pool).await;
    tamper(&pool, "DELETE FROM events WHERE position = 7").await;
    assert_first_bad(&check(&past).await, 7, "missing");
}

#[sqlx::test(migrations = "../migrations")]
async fn swapped_rows_are_named(pool: PgPool) {
    let past = Past::new(&pool).await;
    let swap = "ALTER TABLE events DROP CONSTRAINT events_position_check;
                UPDATE events SET position = -5 WHERE position = 5;
                UPDATE events SET position = 5 WHERE position = 8;
                UPDATE events SET position = 8 WHERE position = -5";
    tamper(&pool, swap).await;
    let report = check(&past).await;
    assert_first_bad(&report, 5, "leaf hash");
    assert!(report.findings.iter().any(|finding| finding.position == Some(8)), "{report:#?}");
}

#[sqlx::test(migrations = "../migrations")]
async fn a_row_before_the_first_is_named(pool: PgPool) {
    let past = Past::new(&pool).await;
    let move_out = "ALTER TABLE events DROP CONSTRAINT events_position_check;
                    UPDATE events SET position = 0 WHERE position = 4";
    tamper(&pool, move_out).await;
    assert_first_bad(&check(&past).await, 0, "missing");
}

#[sqlx::test(migrations = "../migrations")]
async fn a_cut_tail_shows_in_the_checkpoints(pool: PgPool) {
    let past = Past::new(&pool).await;
    tamper(&pool, &format!("DELETE FROM events WHERE position > {}", past.head - 2)).await;
    assert_first_bad(&check(&past).await, past.head - 1, "`document_listing` had come to position");
}

#[sqlx::test(migrations = "../migrations")]
async fn half_an_append_is_named(pool: PgPool) {
    let past = Past::new(&pool).await;
    tamper(&pool, &format!("DELETE FROM events WHERE position = {}; DELETE FROM checkpoints", past.head))
        .await;
    assert_first_bad(&check(&past).await, past.head - 1, "in the middle of an append");
}

#[sqlx::test(migrations = "../migrations")]
async fn a_forged_row_with_the_right_hash_is_named(pool: PgPool) {
    for (like, sequence, event_type, payload, problem) in [
        (
            "DocumentRenamed",
            4,
            "DocumentRestored",
            r#"{"DocumentRestored":{"bytes":300}}"#,
            "document that is Active",
        ),
        (
            "DocumentRenamed",
            4,
            "DocumentTrashed",
            r#"{"DocumentTrashed":{"bytes":299}}"#,
            "document that is Active",
        ),
        ("QuotaOpened", 8, "LimitChanged", r#"{"LimitChanged":{"limit":5}}"#, "sequence 8 of its stream"),
        ("UserRegistered", 2, "PasswordChanged", r#"{"Nonsense":{}}"#, "cannot be decoded"),
        ("UserRegistered", 3, "PasswordChanged", r#"{"PasswordChanged":{}}"#, "sequence 3 of its stream"),
        ("SpaceReserved", 9, "QuotaOpened", r#"{"QuotaOpened":{"limit":5}}"#, "cannot happen to this quota"),
    ] {
        sqlx::raw_sql("ALTER TABLE events DISABLE TRIGGER ALL; TRUNCATE events, user_keys, document_listing, document_history, document_search, quota_usage, user_directory,
                    audit_trail;
                UPDATE checkpoints SET position = 0")
            .execute(&pool)
            .await
            .unwrap();
        let past = Past::new(&pool).await;
        forge(&pool, position_of(&pool, like).await, sequence, event_type, payload).await;
        assert_first_bad(&check(&past).await, past.head + 1, problem);
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn bytes_that_do_not_add_up_are_named(pool: PgPool) {
    let past = Past::new(&pool).await;
    let (quota, upload) = (position_of(&pool, "QuotaOpened").await, past.kept);
    let freed = format!(r#"{{"SpaceFreed":{{"document_id":"{upload}","bytes":300}}}}"#);
    forge(&pool, quota, 7, "SpaceFreed", &freed).await;
    assert_first_bad(
        &check(&past).await,
        past.head + 1,
        "0 bytes used and 0 reserved, the documents 300 and 0",
    );

    tamper(&pool, &format!("DELETE FROM events WHERE position > {}", past.head)).await;
    let reserved = format!(r#"{{"SpaceReserved":{{"upload_id":"{upload}","bytes":9701}}}}"#);
    forge(&pool, quota, 7, "SpaceReserved", &reserved).await;
    assert_first_bad(&check(&past).await, past.head + 1, "10001 bytes are taken of a quota of 10000");
}

#[sqlx::test(migrations = "../migrations")]
async fn a_read_model_that_was_changed_is_named_by_its_key(pool: PgPool) {
    let past = Past::new(&pool).await;
    sqlx::query("UPDATE quota_usage SET used = used + 1 WHERE user_id = $1")
        .bind(past.alice.0)
        .execute(&pool)
        .await
        .unwrap();
    sqlx::query("DELETE FROM document_history WHERE type = 'document_renamed'").execute(&pool).await.unwrap();
    let report = check(&past).await;
    assert_eq!((report.sound, report.first_bad_position), (false, None));
    let problems: Vec<_> = report.findings.iter().map(|finding| finding.problem.as_str()).collect();
    assert_eq!(problems.len(), 2);
    assert!(problems[0].contains("`document_history`") && problems[0].contains(&past.kept.to_string()));
    assert!(problems[1].contains("`quota_usage`") && problems[1].contains(&past.alice.to_string()));
    let equal: Vec<_> = report.projections.iter().filter(|one| one.equal).map(|one| one.name).collect();
    assert_eq!(equal, ["document_listing", "document_search", "user_directory", "audit_trail"]);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_read_model_that_is_behind_is_compared_where_it_stands(pool: PgPool) {
    let past = Past::new(&pool).await;
    past.vault.rename(past.alice, past.kept, "newer").await;
    let report = check(&past).await;
    assert!(report.sound, "{report:#?}");
    assert_eq!(report.head, past.head + 1);
    assert!(report.projections.iter().all(|one| one.position == past.head && one.equal));

    sqlx::query("UPDATE checkpoints SET position = position + 1").execute(&pool).await.unwrap();
    assert!(!check(&past).await.sound, "the listing claims to know the new name");
}
