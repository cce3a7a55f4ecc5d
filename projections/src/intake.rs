//! What a subscription is given of the log: the events that it wants, opened, and not those that an operator had it
//! pass over.

use anyhow::ensure;
use event_store::{EventStore, RawEvent, RecordedEvent};

/// The events for the subscription `name` after position `after` up to `through`, which the log must have.
pub async fn intake(
    store: &EventStore,
    name: &str,
    aggregates: Option<&[&str]>,
    after: i64,
    through: i64,
) -> anyhow::Result<Vec<RecordedEvent>> {
    let mut connection = store.pool().acquire().await?;
    let mut raw = RawEvent::window(&mut connection, after, through, aggregates).await?;
    let about = sqlx::query!(
        r#"SELECT (SELECT count(*) FROM events WHERE position > $2 AND position <= $3) AS "present!",
                  ARRAY(SELECT position FROM skipped_events
                        WHERE name = $1 AND position > $2 AND position <= $3) AS "skipped!""#,
        name,
        after,
        through
    )
    .fetch_one(&mut *connection)
    .await?;
    drop(connection);
    ensure!(about.present == through - after, "the log has a gap between positions {after} and {through}");
    raw.retain(|event| !about.skipped.contains(&event.position));
    Ok(store.open(raw).await?)
}
