//! The door itself, called as somebody with the application's rights could call it.

mod session;

use serde_json::{Value, json};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use crate::vault::{self, new_id};

/// One append as a test spells it: expectations and events by stream number.
#[derive(Clone, Default)]
struct Append {
    expected: Vec<(i32, i64, Option<Uuid>)>,
    events: Vec<(i32, String)>,
    subject: Option<Uuid>,
}

fn append(expected: &[(i32, i64)], events: &[i32]) -> Append {
    Append {
        expected: expected.iter().map(|(stream, sequence)| (*stream, *sequence, None)).collect(),
        events: events.iter().map(|stream| (*stream, "{}".into())).collect(),
        subject: None,
    }
}

type Answer = (Vec<String>, Vec<Option<i64>>);

/// Sends a batch over streams `a`, `b`, `c`; answers outcomes and first positions.
async fn send(connection: &mut PgConnection, batch: &[Append]) -> Result<Answer, sqlx::Error> {
    let ids: Vec<Uuid> = batch.iter().flat_map(|append| &append.events).map(|_| new_id()).collect();
    send_ids(connection, batch, &ids, false).await
}

async fn send_ids(
    connection: &mut PgConnection,
    batch: &[Append],
    ids: &[Uuid],
    retrying: bool,
) -> Result<Answer, sqlx::Error> {
    let numbered = || (1..).zip(batch);
    let expected: Vec<_> =
        numbered().flat_map(|(n, append)| append.expected.iter().map(move |e| (n, *e))).collect();
    let events: Vec<_> =
        numbered().flat_map(|(n, append)| append.events.iter().map(move |e| (n, e))).collect();
    let subjects: Vec<_> = numbered().filter_map(|(n, append)| Some((n, append.subject?))).collect();
    let texts = |text: &str| vec![text.to_owned(); events.len()];
    sqlx::query_as(
        "SELECT * FROM append_events('{t,t,t}', '{a,b,c}', $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14,
                                     array_fill(false, ARRAY[$15]), $16)",
    )
    .bind(expected.iter().map(|(n, _)| *n).collect::<Vec<i32>>())
    .bind(expected.iter().map(|(_, e)| e.0).collect::<Vec<i32>>())
    .bind(expected.iter().map(|(_, e)| e.1).collect::<Vec<i64>>())
    .bind(expected.iter().map(|(_, e)| e.2).collect::<Vec<Option<Uuid>>>())
    .bind(events.iter().map(|(n, _)| *n).collect::<Vec<i32>>())
    .bind(events.iter().map(|(_, e)| e.0).collect::<Vec<i32>>())
    .bind(ids)
    .bind(vec![Uuid::nil(); events.len()])
    .bind(texts("Happened"))
    .bind(texts("1.0"))
    .bind(events.iter().map(|(_, e)| e.1.clone()).collect::<Vec<String>>())
    .bind(texts("{}"))
    .bind(subjects.iter().map(|(n, _)| *n).collect::<Vec<i32>>())
    .bind(subjects.iter().map(|(_, id)| *id).collect::<Vec<Uuid>>())
    .bind(i32::try_from(batch.len()).unwrap())
    .bind(retrying)
    .fetch_one(connection)
    .await
}

fn outcomes(answer: &Answer) -> Vec<&str> {
    answer.0.iter().map(String::as_str).collect()
}

fn code(error: &sqlx::Error) -> String {
    error.as_database_error().and_then(sqlx::error::DatabaseError::code).unwrap_or_default().into_owned()
}

/// Sequences of a stream, in the order of the log.
async fn sequences(admin: &PgPool, stream: &str) -> Vec<i64> {
    let query = sqlx::query_scalar("SELECT sequence FROM events WHERE aggregate_id = $1 ORDER BY position")
        .bind(stream);
    query.fetch_all(admin).await.unwrap()
}

#[sqlx::test(migrations = "../migrations")]
async fn a_batch_is_resolved_in_order_over_running_heads(admin: PgPool) {
    let pool = vault::app_pool(vault::app_options(&admin));
    let mut app = pool.acquire().await.unwrap();
    let batch = [
        append(&[(1, 0)], &[1]),
        append(&[(1, 1)], &[1, 1]),
        append(&[(1, 0)], &[1, 2]),
        append(&[(2, 0)], &[2]),
        append(&[(1, 3)], &[1]),
    ];
    let answer = send(&mut app, &batch).await.unwrap();
    assert_eq!(outcomes(&answer), ["appended", "appended", "conflict", "appended", "appended"]);
    assert_eq!(answer.1, [Some(1), Some(2), None, Some(4), Some(5)]);
    assert_eq!(sequences(&admin, "a").await, [1, 2, 3, 4]);
    assert_eq!(sequences(&admin, "b").await, [1]);
    vault::assert_dense(&admin).await;
}

#[sqlx::test(migrations = "../migrations")]
async fn what_was_only_read_must_not_have_moved(admin: PgPool) {
    let pool = vault::app_pool(vault::app_options(&admin));
    let mut app = pool.acquire().await.unwrap();
    send(&mut app, &[append(&[(1, 0)], &[1])]).await.unwrap();
    let stale = append(&[(1, 0), (2, 0)], &[2]);
    let fresh = append(&[(1, 1), (2, 0)], &[2]);
    let overtaken = append(&[(1, 1), (3, 0)], &[3]);
    let mover = append(&[(1, 1)], &[1]);
    let answer = send(&mut app, &[stale, fresh, mover, overtaken]).await.unwrap();
    assert_eq!(outcomes(&answer), ["conflict", "appended", "appended", "conflict"]);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_sequence_taken_by_another_event_is_a_conflict(admin: PgPool) {
    let pool = vault::app_pool(vault::app_options(&admin));
    let mut app = pool.acquire().await.unwrap();
    let (theirs, ours) = (new_id(), new_id());
    send_ids(&mut app, &[append(&[(1, 0)], &[1])], &[theirs], false).await.unwrap();
    // Decided on the state after `ours`, which was to be event 1 as well, and lost.
    let lost = append(&[(1, 0)], &[1]);
    let on_top = |event| Append { expected: vec![(1, 1, Some(event))], ..append(&[], &[1]) };
    let batch = [lost, on_top(ours), on_top(theirs)];
    let ids = [ours, new_id(), new_id()];
    let answer = send_ids(&mut app, &batch, &ids, false).await.unwrap();
    assert_eq!(outcomes(&answer), ["conflict", "conflict", "appended"]);
    assert_eq!(sequences(&admin, "a").await, [1, 2]);
}

#[sqlx::test(migrations = "../migrations")]
async fn blind_appends_take_the_next_sequence(admin: PgPool) {
    let pool = vault::app_pool(vault::app_options(&admin));
    let mut app = pool.acquire().await.unwrap();
    let answer =
        send(&mut app, &[append(&[], &[1]), append(&[], &[1, 1]), append(&[(2, 0)], &[2, 1])]).await.unwrap();
    assert_eq!(outcomes(&answer), ["appended"; 3]);
    assert_eq!(sequences(&admin, "a").await, [1, 2, 3, 4]);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_subject_without_a_key_fails_only_its_append(admin: PgPool) {
    let store = vault::store(&admin).await;
    let (known, erased) = (vault::register(&store).await, vault::register(&store).await);
    sqlx::query("UPDATE user_keys SET wrapped = NULL WHERE user_id = $1")
        .bind(erased.0)
        .execute(&admin)
        .await
        .unwrap();
    let of = |subject| Append { subject: Some(subject), ..append(&[], &[1]) };
    let mut app = store.pool().acquire().await.unwrap();
    let answer = send(&mut app, &[of(known.0), of(erased.0), of(new_id())]).await.unwrap();
    assert_eq!(outcomes(&answer), ["appended", "no_key", "no_key"]);
    vault::assert_dense(&admin).await;
}

#[sqlx::test(migrations = "../migrations")]
async fn what_it_already_holds_is_recognized_and_never_doubled(admin: PgPool) {
    let pool = vault::app_pool(vault::app_options(&admin));
    let mut app = pool.acquire().await.unwrap();
    let batch = [append(&[(1, 0)], &[1, 2]), append(&[], &[3])];
    let ids: Vec<Uuid> = (0..3).map(|_| new_id()).collect();
    send_ids(&mut app, &batch, &ids, false).await.unwrap();
    let again = send_ids(&mut app, &batch, &ids, true).await.unwrap();
    assert_eq!((outcomes(&again), &again.1[..]), (vec!["known", "known"], &[Some(1), Some(3)][..]));
    // Without the hint the ids themselves stop it.
    let error = send_ids(&mut app, &batch[1..], &ids[2..], false).await.unwrap_err();
    assert_eq!(code(&error), "23505");
    assert_eq!(vault::positions(&admin).await.len(), 3);
}

#[sqlx::test(migrations = "../migrations")]
async fn limits_are_refused_and_what_just_fits_is_not(admin: PgPool) {
    let pool = vault::app_pool(vault::app_options(&admin));
    let mut app = pool.acquire().await.unwrap();
    let of_bytes = |bytes: usize| format!("\"{}\"", "x".repeat(bytes - 2));
    let events = |count, bytes| Append { events: vec![(1, of_bytes(bytes)); count], ..Append::default() };
    let most = 65536 - 2;
    for (refused, what) in [
        (events(257, 4), "257 events"),
        (events(1, most + 1), "an event of 64 KiB and a byte"),
        (events(17, most), "a batch above 1 MiB"),
        (Append::default(), "no events"),
    ] {
        assert_eq!(code(&send(&mut app, &[refused]).await.unwrap_err()), "54000", "{what}");
    }
    for (taken, what) in [(events(256, 4), "256 events"), (events(16, most), "1 MiB in events of 64 KiB")] {
        assert_eq!(outcomes(&send(&mut app, &[taken]).await.unwrap()), ["appended"], "{what}");
    }
    assert_eq!(vault::positions(&admin).await.len(), 272);
}

#[sqlx::test(migrations = "../migrations")]
async fn nonsense_arguments_leave_no_gap(admin: PgPool) {
    let pool = vault::app_pool(vault::app_options(&admin));
    let mut app = pool.acquire().await.unwrap();
    for nonsense in [append(&[], &[1, 9]), append(&[], &[0]), append(&[], &[-1, 1])] {
        send(&mut app, &[nonsense]).await.unwrap_err();
    }
    let bad_json = Append { events: vec![(1, "{".into())], ..Append::default() };
    assert_eq!(code(&send(&mut app, &[bad_json]).await.unwrap_err()), "22P02");
    send(&mut app, &[append(&[], &[1])]).await.unwrap();
    assert_eq!(vault::positions(&admin).await, [1]);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_statement_with_side_rows_is_taken_whole_or_fails(admin: PgPool) {
    let pool = vault::app_pool(vault::app_options(&admin));
    let claim = |sequence: i64, subject: Option<Uuid>| -> Value {
        json!({
            "streams": [["t", "a"]], "expected": [[1, sequence, null]], "subjects": subject.as_slice(), "outcomes": [],
            "events": [{"stream": 1, "event_id": new_id(), "owner_id": Uuid::nil(), "event_type": "Happened",
                        "event_version": "1.0", "payload": "{}", "metadata": "{}"}],
        })
    };
    let run = async |append: Value| {
        sqlx::query_scalar::<_, i64>(
            "WITH claim AS (INSERT INTO email_claims VALUES (uuid_send(gen_random_uuid()), gen_random_uuid()) RETURNING 1)
             SELECT append_or_fail($1) FROM claim",
        )
        .bind(append)
        .fetch_one(&pool)
        .await
    };
    assert_eq!(run(claim(0, None)).await.unwrap(), 1);
    assert_eq!(code(&run(claim(0, None)).await.unwrap_err()), "DV001");
    assert_eq!(code(&run(claim(1, Some(new_id()))).await.unwrap_err()), "DV002");
    let claims: i64 =
        sqlx::query_scalar("SELECT count(*) FROM email_claims").fetch_one(&admin).await.unwrap();
    assert_eq!((claims, vault::positions(&admin).await), (1, vec![1]));
}
