//! Who did what, and when: the part of the log that is about one document, one person or one stream.

mod entry;
mod render;
mod selection;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::io::Write;

use aggregates::UserId;
use event_store::EventStore;
use projections::user_directory;

pub use entry::Entry;
pub use render::Format;
pub use selection::{About, Selection};

use crate::Source;
use render::Writer;

/// Events opened at a time.
const BATCH: usize = 500;

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
    let mut count = 0;
    for positions in selection.positions(&source.pool).await?.chunks(BATCH) {
        let batch = selection.read(&source.pool, positions).await?;
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
