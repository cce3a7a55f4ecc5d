//! How projections and the other subscriptions stand: what operators and monitoring ask.

use std::time::Duration;

use chrono::{DateTime, Utc};
use metrics::gauge;
use serde::Serialize;
use sqlx::PgPool;
use tokio::time::interval;
use tokio_util::sync::CancellationToken;

use crate::{Skip, document_listing};

/// How often the figures are taken.
const OBSERVE_EVERY: Duration = Duration::from_secs(2);

/// How one projection stands.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Status {
    pub name: String,
    /// Of the fold that serves.
    pub version: i32,
    pub generation: i64,
    /// Everything up to here is in it.
    pub position: i64,
    /// Events behind the head of the log.
    pub lag: i64,
    pub state: State,
    /// Why it, or its rebuild, is stopped, and where.
    pub error: Option<String>,
    /// Of a rebuild that is under way.
    pub progress: Option<Progress>,
    /// Events that it passes over.
    pub skipped: Vec<Skip>,
}

/// What a projection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It is up to date, or a process is bringing it there.
    Running,
    /// It met an event that it cannot apply.
    Stopped,
    /// It serves, and a new generation fills beside it.
    Rebuilding,
    /// It is behind, and no process does anything about it.
    Waiting,
}

impl State {
    /// As in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Stopped => "stopped",
            Self::Rebuilding => "rebuilding",
            Self::Waiting => "waiting",
        }
    }
}

/// How far a rebuild has come.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Progress {
    pub generation: i64,
    pub version: i32,
    pub position: i64,
    pub head: i64,
    pub events_per_second: f64,
    /// Until it has caught up, at this speed; `None`: not known yet.
    pub seconds_left: Option<f64>,
    pub started_at: DateTime<Utc>,
    /// A process drives it; otherwise a projector will, or `docuvault projections rebuild`.
    pub driven: bool,
    pub error: Option<String>,
}

/// A subscription that is stopped at an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Stopped {
    pub name: String,
    /// Of the event that it cannot handle.
    pub position: i64,
    pub error: String,
}

impl Status {
    /// Of every projection, by name.
    pub async fn all(pool: &PgPool) -> Result<Vec<Self>, sqlx::Error> {
        let rows = sqlx::query!(
            r#"SELECT serving.name, serving.version, serving.generation, checkpoint.position, checkpoint.error,
                      coalesce(checkpoint.leased_until > clock_timestamp(), false) AS "led!", head AS "head!",
                      rebuild.generation AS "new_generation?", rebuild.version AS "new_version?",
                      rebuild.started_at AS "started_at?", filled.position AS "filled?", filled.error AS filling_error,
                      coalesce(filled.leased_until > clock_timestamp(), false) AS "driven!",
                      ((filled.position - rebuild.driven_from)
                           / greatest(extract(epoch FROM clock_timestamp() - rebuild.driven_since), 0.001))::float8 AS speed
               FROM serving_projections serving
               JOIN checkpoints checkpoint USING (name, generation)
               LEFT JOIN rebuilds rebuild ON rebuild.name = serving.name
               LEFT JOIN checkpoints filled ON filled.name = rebuild.name AND filled.generation = rebuild.generation
               CROSS JOIN (SELECT coalesce(max(position), 0) AS head FROM events) log
               ORDER BY serving.name"#
        )
        .fetch_all(pool)
        .await?;
        let mut all = Vec::with_capacity(rows.len());
        for row in rows {
            let speed = row.speed.unwrap_or(0.0);
            let progress = match (row.new_generation, row.new_version, row.started_at, row.filled) {
                (Some(generation), Some(version), Some(started_at), Some(position)) => Some(Progress {
                    generation,
                    version,
                    position,
                    head: row.head,
                    events_per_second: speed,
                    seconds_left: seconds(row.head - position, speed),
                    started_at,
                    driven: row.driven,
                    error: row.filling_error,
                }),
                _ => None,
            };
            all.push(Self {
                skipped: Skip::all_of(pool, &row.name).await?,
                state: match (&row.error, &progress, row.led || row.position >= row.head) {
                    (Some(_), ..) | (None, Some(Progress { error: Some(_), .. }), _) => State::Stopped,
                    (None, Some(_), _) => State::Rebuilding,
                    (None, None, true) => State::Running,
                    (None, None, false) => State::Waiting,
                },
                error: row.error.or_else(|| progress.as_ref()?.error.clone()),
                progress,
                lag: row.head - row.position,
                name: row.name,
                version: row.version,
                generation: row.generation,
                position: row.position,
            });
        }
        Ok(all)
    }

    /// Of the projection `name`; `None`: there is none.
    pub async fn of(pool: &PgPool, name: &str) -> Result<Option<Self>, sqlx::Error> {
        Ok(Self::all(pool).await?.into_iter().find(|one| one.name == name))
    }
}

#[expect(clippy::cast_precision_loss, reason = "an estimate for people")]
fn seconds(left: i64, speed: f64) -> Option<f64> {
    (speed > 0.0).then(|| left as f64 / speed)
}

/// Every subscription that is stopped at an event, rebuilds included.
pub async fn stopped(pool: &PgPool) -> Result<Vec<Stopped>, sqlx::Error> {
    sqlx::query_as!(
        Stopped,
        r#"SELECT name, position + 1 AS "position!", error AS "error!" FROM checkpoints
           WHERE error IS NOT NULL ORDER BY name, generation"#
    )
    .fetch_all(pool)
    .await
}

/// Exports how far each subscription is behind, whether it is stopped, and what else the database knows, until `stop`:
/// also while nothing moves.
pub async fn observe(pool: PgPool, stop: CancellationToken) {
    let mut ticks = interval(OBSERVE_EVERY);
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        if let Err(error) = export(&pool).await {
            tracing::warn!(%error, "the lag of subscriptions could not be taken");
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "gauges for people")]
async fn export(pool: &PgPool) -> Result<(), sqlx::Error> {
    let rows = sqlx::query!(
        r#"SELECT name, head - checkpoints.position AS "lag!", error IS NOT NULL AS "stopped!"
           FROM checkpoints LEFT JOIN serving_projections serving USING (name)
           CROSS JOIN (SELECT coalesce(max(position), 0) AS head FROM events) log
           WHERE checkpoints.generation = coalesce(serving.generation, checkpoints.generation)"#
    )
    .fetch_all(pool)
    .await?;
    for row in rows {
        gauge!("docuvault_subscription_lag_events", "name" => row.name.clone()).set(row.lag.max(0) as f64);
        gauge!("docuvault_subscription_stopped", "name" => row.name).set(f64::from(row.stopped));
    }
    let log = sqlx::query!(
        r#"SELECT coalesce(max(position), 0) AS "events!", pg_notification_queue_usage() AS "queue!" FROM events"#
    );
    let log = log.fetch_one(pool).await?;
    gauge!("docuvault_log_events").set(log.events as f64);
    gauge!("docuvault_notification_queue_usage").set(log.queue);
    let open = document_listing::open_uploads(pool).await?;
    gauge!("docuvault_open_uploads").set(open.count as f64);
    gauge!("docuvault_reserved_bytes").set(open.bytes as f64);
    Ok(())
}
