//! Who did what, and when: the part of the log that is about one document, one person or one stream.

mod entry;
mod render;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::io::Write;

use aggregates::UserId;
use chrono::{DateTime, Utc};
use event_store::{EventStore, RawEvent};
use projections::user_directory;
use sqlx::PgPool;
use uuid::Uuid;

pub use entry::Entry;
pub use render::Format;

use crate::Source;
use render::Writer;

const BATCH: i64 = 500;

/// What the history is about.
#[derive(Clone, Debug)]
pub enum About {
    /// A document: its changes, and who fetched it.
    Document(Uuid),
    /// A person: the whole vault of theirs, and what they did elsewhere.
    User(Uuid),
    /// One stream, by the id of its aggregate.
    Stream(String),
}

/// A part of the log.
#[derive(Clone, Debug)]
pub struct Selection {
    pub about: About,
    /// Recorded at this time or later.
    pub from: Option<DateTime<Utc>>,
    /// Recorded before this time.
    pub to: Option<DateTime<Utc>>,
}

/// Writes the history to `out`, in the order of the log. Returns how many events it has.
pub async fn history(
    source: &Source,
    selection: &Selection,
    format: Format,
    out: &mut impl Write,
) -> anyhow::Result<u64> {
    let upcasters = aggregates::upcasters();
    let mut people = People { store: source.store.as_ref(), known: HashMap::new() };
    let mut writer = Writer::begin(format, out)?;
    let (mut after, mut count) = (0, 0);
    loop {
        let batch = selection.after(&source.pool, after).await?;
        let Some(last) = batch.last().map(|event| event.position) else { break };
        after = last;
        let types: Vec<_> =
            batch.iter().map(|raw| (raw.aggregate_type.clone(), raw.event_type.clone())).collect();
        let events = match &source.store {
            Some(store) => store.open(batch).await?,
            None => batch.into_iter().map(|raw| raw.decode_sealed(&upcasters)).collect::<Result<_, _>>()?,
        };
        for (event, (aggregate_type, event_type)) in events.into_iter().zip(types) {
            let mut entry = Entry::of(&event, &aggregate_type, &event_type)?;
            entry.who = people.name(&entry.actor).await?;
            writer.write(&entry)?;
            count += 1;
        }
    }
    Ok(count)
}

/// The e-mail addresses of those who acted, each looked up once.
struct People<'a> {
    store: Option<&'a EventStore>,
    known: HashMap<String, Option<String>>,
}

impl People<'_> {
    async fn name(&mut self, actor: &str) -> anyhow::Result<Option<String>> {
        let Some((store, id)) = self.store.zip(actor.strip_prefix("user:")) else { return Ok(None) };
        if let Some(name) = self.known.get(id) {
            return Ok(name.clone());
        }
        let row = user_directory::find(store.pool(), UserId(id.parse()?)).await?;
        let name = row.map(|row| row.email);
        self.known.insert(id.into(), name.clone());
        Ok(name)
    }
}

/// The selected events after position `$1`, for a condition on `$4`.
macro_rules! selected {
    ($selection:expr, $after:expr, $condition:literal, $about:expr) => {
        sqlx::query_as!(
            RawEvent,
            r#"SELECT position, event_id, owner_id, aggregate_type, aggregate_id, sequence, event_type, event_version,
                      payload::text AS "payload!", metadata::text AS "metadata!", recorded_at, leaf_hash
               FROM events
               WHERE position > $1 AND recorded_at >= coalesce($2, '-infinity'::timestamptz)
                 AND recorded_at < coalesce($3, 'infinity'::timestamptz) AND "#
                + $condition
                + " ORDER BY position LIMIT $5",
            $after,
            $selection.from,
            $selection.to,
            $about,
            BATCH
        )
    };
}

impl Selection {
    async fn after(&self, pool: &PgPool, after: i64) -> Result<Vec<RawEvent>, sqlx::Error> {
        match &self.about {
            About::Document(id) => {
                selected!(
                    self,
                    after,
                    "(aggregate_type = 'document' AND aggregate_id = $4 OR event_type = 'DocumentDownloaded'
                      AND payload -> 'DocumentDownloaded' ->> 'document_id' = $4)",
                    id.to_string()
                )
                .fetch_all(pool)
                .await
            }
            About::User(id) => {
                selected!(self, after, "(owner_id = $4 OR metadata ->> 'actor' = 'user:' || $4::text)", id)
                    .fetch_all(pool)
                    .await
            }
            About::Stream(id) => selected!(self, after, "aggregate_id = $4", id).fetch_all(pool).await,
        }
    }
}
