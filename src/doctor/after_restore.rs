//! After the log was restored from a backup: says so in the log, begins a new lineage, and throws away what others have
//! of the lost one. Running it twice changes nothing more.

use aggregates::{Actor, LogEvent, Metadata, UserId, log};
use event_store::{Context, EventStore, StoreError};
use futures::FutureExt;
use serde_json::Value;
use sqlx::PgPool;
use uuid::Uuid;

use crate::config::NatsConfig;
use crate::nats::{self, Envelope, STREAM};

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// Where the log says so; `None`: it did already.
    pub position: Option<i64>,
    pub lineage: Uuid,
    /// NATS holds nothing of a former lineage any more; the relay fills it. False: it was not reached, and the relay does both.
    pub purged: bool,
}

/// `store` works as `docuvault_migrate`: nobody else may begin a lineage.
pub async fn after_restore(store: &EventStore, nats: Option<&NatsConfig>) -> anyhow::Result<Restored> {
    let (former, head) = (store.lineage().await?, store.head().await?);
    let found = match nats {
        Some(config) => held_by(config).await,
        None => Err(anyhow::anyhow!("NATS_URL is not set")),
    };
    // What an ended lineage has left says nothing about this one.
    let last = match &found {
        Ok(Held::Copy(last)) if last.lineage() == Some(former) => Some(last),
        _ => None,
    };
    let is_recorded = is_recorded(store, head, last).await?;
    let last = last.map(|last| last.position);
    let (position, lineage) = if is_recorded {
        (None, former)
    } else {
        let (lineage, last_lost) = (store.clock().new_id(), last.filter(|last| *last > head));
        (Some(begin(store, former, lineage, head, last_lost).await?), lineage)
    };
    let purged = match (nats, found) {
        (Some(config), Ok(stream)) => {
            // What the relay has filled since the restore was recorded stays.
            if !matches!(stream, Held::Copy(last) if last.lineage() == Some(lineage)) {
                nats::delete(&nats::connect(config, nats::RELAY, 1).await?).await?;
            }
            true
        }
        (_, Err(error)) => {
            tracing::warn!(error = format!("{error:#}"), "NATS is not reached");
            false
        }
        (None, Ok(_)) => false,
    };
    Ok(Restored { position, lineage, purged })
}

/// What NATS holds.
enum Held {
    /// No event.
    Nothing,
    /// What no relay has written.
    Foreign,
    /// A copy of a log, up to this event.
    Copy(Envelope),
}

/// Whether the log speaks of the restore already: nothing has happened since it did, or NATS has been filled from it again.
async fn is_recorded(store: &EventStore, head: i64, last: Option<&Envelope>) -> anyhow::Result<bool> {
    let positions: Vec<i64> = last.iter().map(|last| last.position).chain([head]).collect();
    let events = store.read_at(&positions).await?;
    let speaks_last = events.get(&head).is_some_and(|event| event.aggregate_type == log::TYPE);
    let ever = sqlx::query_scalar!(r#"SELECT EXISTS (SELECT FROM former_lineages) AS "ever!""#);
    Ok(match last {
        None => speaks_last,
        Some(last) => {
            let in_step = events.get(&last.position).is_some_and(|event| event.event_id == last.id);
            in_step && ever.fetch_one(store.pool()).await?
        }
    })
}

async fn held_by(config: &NatsConfig) -> anyhow::Result<Held> {
    let stream = match nats::connect(config, nats::RELAY, 1).await?.get_stream(STREAM).await {
        Err(error) if nats::is_missing(&error) => return Ok(Held::Nothing),
        found => found?,
    };
    let last = stream.cached_info().state.last_sequence;
    if last == 0 {
        return Ok(Held::Nothing);
    }
    let message = stream.get_raw_message(last).await?;
    Ok(Envelope::parse(&message.payload).map_or(Held::Foreign, Held::Copy))
}

/// One statement: the event, the new lineage, and the end of the former one.
async fn begin(
    store: &EventStore,
    former: Uuid,
    lineage: Uuid,
    head: i64,
    last_lost: Option<i64>,
) -> anyhow::Result<i64> {
    let clock = store.clock();
    let metadata = Metadata {
        actor: Actor::Operator,
        correlation_id: clock.new_id(),
        causation_id: None,
        occurred_at: clock.now(),
        ip: None,
    };
    // The log is nobody's vault.
    let context = Context { owner_id: UserId(Uuid::nil()), metadata, idempotency: None };
    let event = LogEvent::LogRestored { former_lineage: former, lineage, first_lost: head + 1, last_lost };
    let pool = store.pool().clone();
    let done = store
        .execute_with(
            context,
            move |unit| std::future::ready(unit.record_of_log(&event)).boxed(),
            move |append| write(pool.clone(), append, former, lineage, head).boxed(),
        )
        .await?;
    done.position.ok_or_else(|| StoreError::Closed.into())
}

async fn write(
    pool: PgPool,
    append: Value,
    former: Uuid,
    lineage: Uuid,
    head: i64,
) -> Result<Option<i64>, sqlx::Error> {
    let position = sqlx::query_scalar!(
        "WITH begun AS (
             UPDATE log_identity SET lineage = $3, created_at = now() WHERE lineage = $2 RETURNING lineage
         ), ended AS (
             INSERT INTO former_lineages (lineage, shared) SELECT $2, $4 FROM begun RETURNING 1
         ), letters AS (DELETE FROM dead_letters WHERE position > $4 RETURNING 1)
         SELECT append_or_fail($1) FROM begun, ended",
        append,
        former,
        lineage,
        head
    );
    Ok(position.fetch_optional(&pool).await?.flatten())
}
