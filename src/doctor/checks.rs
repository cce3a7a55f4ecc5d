//! The checks, in the order in which one would mend what they find.

use crate::app::App;
use crate::blobs::BlobError;
use crate::nats::{self, Envelope, STREAM};

use super::Finding;

/// Looks at everything. An error: the database itself does not answer.
pub async fn check(app: &App) -> anyhow::Result<Vec<Finding>> {
    let mut findings = vec![log(app).await?, rights(app).await?, object_store(app).await];
    findings.extend(jetstream(app).await);
    findings.extend(subscriptions(app).await?);
    findings.push(dead_letters(app).await?);
    Ok(findings)
}

async fn log(app: &App) -> anyhow::Result<Finding> {
    let (head, lineage) = (app.store.head().await?, app.store.lineage().await?);
    Ok(Finding::fine("log", format!("{head} events, lineage {lineage}")))
}

/// The log is append-only by privilege and by trigger.
async fn rights(app: &App) -> anyhow::Result<Finding> {
    let row = sqlx::query!(
        r#"SELECT has_table_privilege('docuvault_app', 'events', 'INSERT, UPDATE, DELETE, TRUNCATE') AS "writes!",
                  (SELECT count(*) FROM pg_trigger WHERE tgrelid = 'events'::regclass AND tgenabled = 'A'
                   AND tgname IN ('append_only', 'never_truncated')) AS "triggers!",
                  (SELECT rolname::text FROM pg_roles JOIN pg_class ON relowner = pg_roles.oid
                   WHERE pg_class.oid = 'events'::regclass) AS "owner!""#
    )
    .fetch_one(app.store.pool())
    .await?;
    if row.writes || row.triggers < 2 || row.owner != "docuvault_log" {
        let remedy = "somebody has changed the rights on `events`: find out who and why, run `docuvault-replay verify`, and \
                      restore them as in migrations/0001_log.sql";
        return Ok(Finding::bad("rights", "the log can be changed", remedy));
    }
    Ok(Finding::fine("rights", "the log is append-only"))
}

async fn object_store(app: &App) -> Finding {
    // No such object: the store has looked.
    match app.blobs.head("doctor").await {
        Ok(_) | Err(BlobError::NotFound) => Finding::fine("object store", "answers"),
        Err(error) => {
            Finding::bad("object store", error.to_string(), "check S3_ENDPOINT, S3_BUCKET and the access key")
        }
    }
}

async fn jetstream(app: &App) -> Option<Finding> {
    let config = app.config.nats.as_ref()?;
    Some(match compare(app, config).await {
        Ok(finding) => finding,
        Err(error) => Finding::bad(
            "NATS",
            format!("does not answer: {error:#}"),
            "start nats-server, check NATS_URL and NATS_CREDENTIALS; the vault works on meanwhile",
        ),
    })
}

/// Compares the end of the stream with the log.
async fn compare(app: &App, config: &crate::config::NatsConfig) -> anyhow::Result<Finding> {
    let jetstream = nats::connect(config, nats::RELAY, 1).await?;
    let stream = match jetstream.get_stream(STREAM).await {
        Err(error) if nats::is_missing(&error) => {
            return Ok(Finding::bad("NATS", "has no stream yet", "run a process with the role relay"));
        }
        found => found?,
    };
    let last = stream.cached_info().state.last_sequence;
    if last == 0 {
        return Ok(Finding::fine("NATS", "its stream is empty"));
    }
    let message = stream.get_raw_message(last).await?;
    let envelope = Envelope::parse(&message.payload)?;
    let held = app.store.read_at(&[envelope.position]).await?.remove(&envelope.position);
    let same = held.is_some_and(|event| event.event_id == envelope.id);
    if !same || envelope.lineage() != Some(app.store.lineage().await?) {
        let state = format!("holds an event at position {} that the log does not have", envelope.position);
        let remedy = "if the log was restored from a backup, run `docuvault doctor --after-restore`";
        return Ok(Finding::bad("NATS", state, remedy));
    }
    Ok(Finding::fine("NATS", format!("holds the log up to position {}", envelope.position)))
}

/// Only those that are stopped are told apart.
async fn subscriptions(app: &App) -> anyhow::Result<Vec<Finding>> {
    let stopped = sqlx::query!(
        r#"SELECT name, position, error AS "error!" FROM checkpoints WHERE error IS NOT NULL ORDER BY name"#
    );
    let stopped = stopped.fetch_all(app.store.pool()).await?;
    if stopped.is_empty() {
        return Ok(vec![Finding::fine("subscriptions", "none is stopped")]);
    }
    let bad = stopped.into_iter().map(|row| {
        let state = format!("{} is stopped after position {}: {}", row.name, row.position, row.error);
        Finding::bad("subscriptions", state, "mend the cause; it goes on by itself")
    });
    Ok(bad.collect())
}

async fn dead_letters(app: &App) -> anyhow::Result<Finding> {
    let count =
        sqlx::query_scalar!(r#"SELECT count(*) AS "count!" FROM dead_letters WHERE state <> 'failing'"#);
    Ok(match count.fetch_one(app.store.pool()).await? {
        0 => Finding::fine("dead letters", "none"),
        count => Finding::bad("dead letters", count.to_string(), "look at them: docuvault dead-letters list"),
    })
}
