//! What PostgreSQL itself does with the same rows: one prepared statement per append, sent by pgbench. No decision, no
//! sealing, no order over the streams.

use std::time::Duration;

use aggregates::{DocumentEvent, UserId};
use anyhow::{Context, ensure};
use event_store::Clock;
use sqlx::{ConnectOptions, Connection, PgConnection};
use tokio::process::Command;
use uuid::Uuid;

use crate::drive::Measured;
use crate::fixture::{self, STREAMS, Server};

const SCHEMA: &str = "CREATE TABLE events (aggregate_type text NOT NULL, aggregate_id text NOT NULL,
    sequence bigint CHECK (sequence >= 0) NOT NULL, event_type text NOT NULL, event_version text NOT NULL,
    payload json NOT NULL, metadata json NOT NULL, PRIMARY KEY (aggregate_type, aggregate_id, sequence))";

const APPEND: &str =
    "INSERT INTO events VALUES ('document', gen_random_uuid()::text, 1, 'UploadRequested', '1.0',
    :payload, :metadata);";

const LOAD_APPEND: &str = r"\set s random(0, :last)
SELECT aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata FROM events
    WHERE aggregate_type = 'document' AND aggregate_id = '00000000-0000-7000-8000-' || lpad((:s)::text, 12, '0')
    ORDER BY sequence;
INSERT INTO events SELECT 'document', '00000000-0000-7000-8000-' || lpad((:s)::text, 12, '0'),
    (SELECT max(sequence) + 1 FROM events WHERE aggregate_type = 'document'
        AND aggregate_id = '00000000-0000-7000-8000-' || lpad((:s)::text, 12, '0')),
    'DocumentRenamed', '1.0', :payload, :metadata ON CONFLICT DO NOTHING;";

/// The postgres-es schema in a fresh database.
pub(crate) async fn open(server: &Server) -> anyhow::Result<()> {
    server.fresh("bench_raw").await?;
    let mut connection = PgConnection::connect_with(&server.owner("bench_raw")).await?;
    sqlx::raw_sql(SCHEMA).execute(&mut connection).await?;
    Ok(())
}

/// Id of the seeded stream `n`.
pub(crate) fn stream(n: u64) -> String {
    format!("00000000-0000-7000-8000-{n:012}")
}

/// `STREAMS` documents of ten events.
pub(crate) async fn seed(server: &Server) -> anyhow::Result<()> {
    let clock = Clock::system();
    let owner = UserId(clock.new_id());
    let request = fixture::request(owner, &clock)?;
    let (upload_id, bytes) = (request.upload_id, request.size);
    let events = [
        DocumentEvent::UploadRequested(request),
        DocumentEvent::UploadCompleted { upload_id, version: 1, bytes },
        DocumentEvent::DocumentRenamed { name: fixture::name(owner, 1)? },
    ];
    let mut connection = PgConnection::connect_with(&server.owner("bench_raw")).await?;
    for (event, sequences) in events.iter().zip(["1", "2", "generate_series(3, 10)"]) {
        let label = cqrs_es::DomainEvent::event_type(event);
        let sql = format!(
            "INSERT INTO events SELECT 'document', '00000000-0000-7000-8000-' || lpad(n::text, 12, '0'), {sequences},
             '{label}', '1.0', $1, '{{}}' FROM generate_series(0, $2 - 1) n"
        );
        let query = sqlx::query(&sql).bind(serde_json::to_value(event)?).bind(i64::try_from(STREAMS)?);
        query.execute(&mut connection).await?;
    }
    sqlx::raw_sql("ANALYZE events").execute(&mut connection).await?;
    Ok(())
}

pub(crate) async fn append(server: &Server, concurrency: usize, secs: Duration) -> anyhow::Result<Measured> {
    open(server).await?;
    pgbench(server, APPEND, concurrency, secs, 0).await
}

pub(crate) async fn load_append(
    server: &Server,
    concurrency: usize,
    secs: Duration,
) -> anyhow::Result<Measured> {
    open(server).await?;
    seed(server).await?;
    pgbench(server, LOAD_APPEND, concurrency, secs, STREAMS - 1).await
}

/// Appends that lost the race insert nothing and are not counted.
pub(crate) async fn hot(server: &Server, concurrency: usize, secs: Duration) -> anyhow::Result<Measured> {
    open(server).await?;
    seed(server).await?;
    let count = "SELECT count(*) FROM events";
    let mut connection = PgConnection::connect_with(&server.owner("bench_raw")).await?;
    let before: i64 = sqlx::query_scalar(count).fetch_one(&mut connection).await?;
    let mut measured = pgbench(server, LOAD_APPEND, concurrency, secs, 0).await?;
    let after: i64 = sqlx::query_scalar(count).fetch_one(&mut connection).await?;
    #[expect(clippy::cast_precision_loss, reason = "a count of events")]
    let rate = (after - before) as f64 / (secs.as_secs_f64() + 1.0);
    measured.rate = rate;
    Ok(measured)
}

/// Runs `script` and reads pgbench's own log of each transaction.
async fn pgbench(
    server: &Server,
    script: &str,
    concurrency: usize,
    secs: Duration,
    last: u64,
) -> anyhow::Result<Measured> {
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("script.sql");
    tokio::fs::write(
        &file,
        script.replace('\n', " ").replace("\\set s random(0, :last) ", "\\set s random(0, :last)\n"),
    )
    .await?;
    let mut url = server.owner("bench_raw").to_url_lossy();
    // Its parameters are sqlx's own.
    url.set_query(None);
    let (payload, metadata) = sample()?;
    let output = Command::new(server.pg_bindir.join("pgbench"))
        .args(["-n", "-M", "prepared", "-l", "--log-prefix"])
        .arg(directory.path().join("log"))
        .args(["-c", &concurrency.to_string(), "-j", &concurrency.min(2).to_string()])
        .args(["-T", &(secs.as_secs() + 1).to_string()])
        .args([
            "-D",
            &format!("payload={payload}"),
            "-D",
            &format!("metadata={metadata}"),
            "-D",
            &format!("last={last}"),
        ])
        .arg("-f")
        .arg(&file)
        .arg(url.as_str())
        .output()
        .await
        .context("pgbench")?;
    ensure!(output.status.success(), "pgbench: {}", String::from_utf8_lossy(&output.stderr));
    let mut rows = Vec::new();
    for entry in std::fs::read_dir(directory.path())? {
        let path = entry?.path();
        if path != file {
            rows.extend(std::fs::read_to_string(path)?.lines().filter_map(transaction));
        }
    }
    let begin = rows
        .iter()
        .map(|(ended, took)| ended.saturating_sub(*took))
        .min()
        .context("pgbench logged nothing")?;
    let (from, to) = (begin + Duration::from_secs(1), begin + Duration::from_secs(1) + secs);
    let latencies =
        rows.into_iter().filter(|(ended, _)| (from..=to).contains(ended)).map(|(_, took)| took).collect();
    Measured::of(latencies, secs)
}

/// When a transaction of the log ended, and how long it took.
fn transaction(line: &str) -> Option<(Duration, Duration)> {
    let fields: Vec<u64> = line.split_whitespace().map(|field| field.parse().unwrap_or(0)).collect();
    let [_, _, took, _, secs, micros, ..] = fields[..] else { return None };
    Some((Duration::from_secs(secs) + Duration::from_micros(micros), Duration::from_micros(took)))
}

/// Payload and metadata of the size that DocuVault stores for an upload request.
fn sample() -> anyhow::Result<(String, String)> {
    let clock = Clock::system();
    let owner = UserId(clock.new_id());
    let payload = serde_json::to_string(&DocumentEvent::UploadRequested(fixture::request(owner, &clock)?))?;
    // Three sealed values: 46 bytes of header, nonce and tag each, in base64.
    let sealed = "A".repeat(3 * 100);
    let payload = payload.replacen("application/pdf", &format!("application/pdf{sealed}"), 1);
    let metadata = format!(
        r#"{{"actor":"user:{owner}","correlation_id":"{}","occurred_at":"2026-01-01T00:00:00.000000Z"}}"#,
        Uuid::nil()
    );
    Ok((payload, metadata))
}
