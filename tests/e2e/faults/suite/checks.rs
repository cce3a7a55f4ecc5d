//! What must hold after healing, whoever did what: the log, the bucket, the read models, the processes' own words.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use sqlx::PgConnection;
use tokio::time::timeout;

use super::history::History;
use super::person::Person;
use crate::faults::cluster::Cluster;
use crate::standalone::vault::eventually;

const LIMIT: Duration = Duration::from_secs(30);
/// A message that a killed consumer had in hand comes again after half a minute, and one that failed after a pause.
const INSPECTION_LIMIT: Duration = Duration::from_secs(90);
/// Events that clients cause. Others come from processes.
const BY_CLIENTS: [&str; 7] = [
    "UploadRequested",
    "UploadCompleted",
    "UploadCancelled",
    "DocumentRenamed",
    "DocumentTrashed",
    "DocumentRestored",
    "DocumentPurged",
];

/// All of them; what fails is in the history.
pub(super) async fn check(cluster: &Cluster, people: &[Person], history: &History) {
    let mut log = cluster.postgres.connect("docuvault").await.unwrap();
    inspected_once(&mut log, history).await;
    audited_once(&mut log, history).await;
    dense(&mut log, history).await;
    for person in people {
        effects(&mut log, person, history).await;
    }
    bucket(cluster, &mut log, history).await;
    let (code, report) = cluster.replay(&["verify"]).await;
    history.require(code == Some(0), || {
        format!("I5 I6: docuvault-replay verify ended with {code:?}:\n{report}")
    });
    for process in cluster.processes() {
        let log = process.log();
        let panics = log.lines().find(|line| line.contains("panicked at"));
        history.require(panics.is_none(), || {
            format!("{} panicked: {}", process.name, panics.unwrap_or_default())
        });
    }
}

/// I4: whatever NATS and the consumers went through, each upload that is kept is looked into, once.
async fn inspected_once(log: &mut PgConnection, history: &History) {
    let wrong = "SELECT completed.aggregate_id, count(inspected.position)
                 FROM events completed LEFT JOIN events inspected
                     ON inspected.aggregate_id = completed.aggregate_id AND inspected.event_type = 'DocumentInspected'
                 WHERE completed.event_type = 'UploadCompleted'
                 GROUP BY 1
                 HAVING count(inspected.position) > 1 OR count(inspected.position) = 0 AND NOT EXISTS (
                     SELECT FROM events purged WHERE purged.aggregate_type = 'document'
                     AND purged.aggregate_id = completed.aggregate_id AND purged.event_type = 'DocumentPurged')";
    let mut left: Vec<(String, i64)> = Vec::new();
    let all = timeout(
        INSPECTION_LIMIT,
        eventually(INSPECTION_LIMIT * 2, async || {
            left = sqlx::query_as(wrong).fetch_all(&mut *log).await.unwrap();
            left.is_empty()
        }),
    );
    let all = all.await.is_ok();
    history.require(all, || format!("I4: inspections per document, if not one: {left:?}"));
    let dead: i64 = sqlx::query_scalar("SELECT count(*) FROM dead_letters").fetch_one(log).await.unwrap();
    history.require(dead == 0, || format!("I4: {dead} events that were delivered became dead letters"));
}

/// The audit trail has one row for each event of the log.
async fn audited_once(log: &mut PgConnection, history: &History) {
    let wrong = "SELECT count(*) FROM events FULL JOIN (
                     SELECT position, audit_trail.event_id FROM audit_trail JOIN serving_projections USING (generation)
                     WHERE name = 'audit_trail') audited USING (position)
                 WHERE events.event_id IS DISTINCT FROM audited.event_id";
    let mut count = 0_i64;
    let all = timeout(
        INSPECTION_LIMIT,
        eventually(INSPECTION_LIMIT * 2, async || {
            count = sqlx::query_scalar(wrong).fetch_one(&mut *log).await.unwrap();
            count == 0
        }),
    );
    let all = all.await.is_ok();
    history.require(all, || format!("the audit trail and the log differ in {count} rows"));
}

/// I2: no position and no sequence is missing.
async fn dense(log: &mut PgConnection, history: &History) {
    let gaps = "SELECT (SELECT max(position) - count(*) FROM events)::bigint, (SELECT count(*) FROM (
                    SELECT FROM events GROUP BY aggregate_type, aggregate_id HAVING max(sequence) <> count(*)) streams)";
    let (positions, streams): (i64, i64) = sqlx::query_as(gaps).fetch_one(log).await.unwrap();
    history.require(positions == 0 && streams == 0, || {
        format!("I2: {positions} positions are missing, {streams} streams have gaps")
    });
}

/// I1, I4: what a client was told has happened, it and nothing else, once.
async fn effects(log: &mut PgConnection, person: &Person, history: &History) {
    let query = "SELECT aggregate_id, event_type, count(*) FROM events
                 WHERE owner_id = $1::uuid AND aggregate_type = 'document' GROUP BY 1, 2";
    let rows: Vec<(String, String, i64)> =
        sqlx::query_as(query).bind(&person.user_id).fetch_all(log).await.unwrap();
    let by_clients = |event: &str| BY_CLIENTS.contains(&event) || event == "UploadExpired";
    let found: BTreeMap<(&str, &str), i64> = rows
        .iter()
        .filter(|(_, event, _)| by_clients(event))
        .map(|(id, event, count)| ((id.as_str(), event.as_str()), *count))
        .collect();
    let expected = person.expected_events();
    let expected: BTreeMap<(&str, &str), i64> =
        expected.iter().map(|(id, event, count)| ((id.as_str(), *event), *count)).collect();
    for (key, count) in &expected {
        let real = found.get(key).copied().unwrap_or_default();
        history.require(real == *count, || format!("I1 I4: {key:?} is {real} times in the log, not {count}"));
    }
    for (key, count) in found.iter().filter(|(key, _)| !expected.contains_key(*key)) {
        // Its client has not looked at it since, and its deadline passed by a clock that was a day ahead.
        let unseen = key.1 == "UploadExpired" && expected.contains_key(&(key.0, "UploadRequested"));
        history.require(unseen, || format!("I4: {key:?} is {count} times in the log, and nobody was told"));
    }
}

/// I3: the bucket holds what the log says, neither more nor less.
async fn bucket(cluster: &Cluster, log: &mut PgConnection, history: &History) {
    let wanted = "SELECT payload->'UploadRequested'->>'object_key',
                         payload->'UploadRequested'->'transfer'->'single'->>'staging_key',
                         (SELECT event_type FROM events last WHERE last.aggregate_type = 'document'
                              AND last.aggregate_id = requested.aggregate_id
                              AND event_type NOT IN ('DocumentRenamed', 'DocumentInspected')
                              ORDER BY sequence DESC LIMIT 1),
                         (SELECT payload->'DocumentInspected'->'inspection'->'text_extracted'->>'key'
                              FROM events inspected WHERE event_type = 'DocumentInspected'
                              AND inspected.aggregate_id = requested.aggregate_id)
                  FROM events requested WHERE event_type = 'UploadRequested'";
    let rows: Vec<(String, String, String, Option<String>)> =
        sqlx::query_as(wanted).fetch_all(log).await.unwrap();
    let (mut must, mut may) = (BTreeSet::new(), BTreeSet::new());
    for (object, staging, last, text) in &rows {
        match last.as_str() {
            "UploadRequested" => may.extend([object.clone(), staging.clone()]),
            "UploadCompleted" | "DocumentTrashed" | "DocumentRestored" => {
                must.insert(object.clone());
                must.extend(text.clone());
            }
            _ => {}
        }
    }
    let mut difference = String::new();
    let same = timeout(
        LIMIT,
        eventually(LIMIT * 2, async || {
            let keys: BTreeSet<String> = cluster.store.keys().await.into_iter().collect();
            let lacking: Vec<_> = must.difference(&keys).collect();
            let unknown: Vec<_> =
                keys.iter().filter(|key| !must.contains(*key) && !may.contains(*key)).collect();
            difference = format!("lacks {lacking:?}, has {unknown:?} too many");
            lacking.is_empty() && unknown.is_empty()
        }),
    );
    let same = same.await.is_ok();
    history.require(same, || format!("I3: the bucket {difference}"));
}
