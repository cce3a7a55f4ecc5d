//! A projection against a fresh fold of the log. The same fold that feeds the real table fills a temporary one of the
//! same name; both are compared as of the projection's checkpoint, in one snapshot.

use std::sync::Arc;

use anyhow::{Context, bail};
use event_store::EventStore;
use serde::Serialize;
use serde_json::Value;
use sqlx::{Connection, PgConnection};

use crate::serving::fold_of;
use crate::{Projection, Skip, intake};

const BATCH: i64 = 10_000;

/// What came of a comparison.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Comparison {
    pub name: &'static str,
    /// Its checkpoint: what it was compared at.
    pub position: i64,
    pub rows: i64,
    pub equal: bool,
    /// The primary key of the first row that differs, and nothing else of it: rows hold personal data.
    pub first_difference: Option<String>,
    /// Events that neither of them took.
    pub skipped: Vec<Skip>,
}

/// The fresh fold stopped at an event.
#[derive(Debug, thiserror::Error)]
#[error("`{name}` cannot be folded at position {position}: {source:#}")]
pub struct CannotFold {
    pub name: &'static str,
    pub position: i64,
    pub source: anyhow::Error,
}

/// Told how far the fold is, and how far it has to go.
pub type Folded<'a> = &'a mut dyn FnMut(i64, i64);

/// Compares the serving generation of `projection` with a fresh fold.
pub async fn compare(
    store: &EventStore,
    projection: &Arc<dyn Projection>,
    folded: Folded<'_>,
) -> anyhow::Result<Comparison> {
    let mut connection = PgConnection::connect_with(&store.pool().connect_options()).await?;
    let comparison = compare_on(&mut connection, store, projection, folded).await;
    connection.close().await?;
    comparison
}

async fn compare_on(
    connection: &mut PgConnection,
    store: &EventStore,
    projection: &Arc<dyn Projection>,
    folded: Folded<'_>,
) -> anyhow::Result<Comparison> {
    let name = projection.name();
    let (generation, version, position) = standing(connection, name).await?;
    let fold = fold_of(projection, version).with_context(|| {
        format!("version {version} of `{name}` serves, which this release cannot fold: use the release that wrote it")
    })?;
    let create = format!("CREATE TEMP TABLE {name} (LIKE public.{name} INCLUDING ALL)");
    sqlx::query(&create).execute(&mut *connection).await?;
    let mut fresh = Fresh { store, fold, generation, position: 0 };
    // The long part first, outside of the snapshot: a server under way must not wait for it.
    fresh.fold_until(connection, position, &mut *folded).await?;

    let mut snapshot = connection.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ").await?;
    let (served, _, position) = standing(&mut snapshot, name).await?;
    if served != generation {
        bail!("`{name}` was rebuilt meanwhile: verify it again");
    }
    fresh.fold_until(&mut snapshot, position, folded).await?;
    let first_difference = first_difference(&mut snapshot, name, generation).await?;
    let count = format!("SELECT count(*) FROM public.{name} WHERE generation = $1");
    let rows = sqlx::query_scalar(&count).bind(generation).fetch_one(&mut *snapshot).await?;
    let equal = first_difference.is_none();
    let skipped = Skip::all_of(store.pool(), name).await?;
    Ok(Comparison { name, position, rows, equal, first_difference, skipped })
}

/// Generation, version and position of what serves.
async fn standing(connection: &mut PgConnection, name: &str) -> anyhow::Result<(i64, i32, i64)> {
    let row = sqlx::query!(
        "SELECT generation, version, position FROM serving_projections JOIN checkpoints USING (name, generation)
         WHERE name = $1",
        name
    );
    let row = row.fetch_optional(connection).await?.with_context(|| format!("nothing serves `{name}`"))?;
    Ok((row.generation, row.version, row.position))
}

/// The fresh fold: its temporary table shadows the real one.
struct Fresh<'a> {
    store: &'a EventStore,
    fold: Arc<dyn Projection>,
    generation: i64,
    position: i64,
}

impl Fresh<'_> {
    async fn fold_until(
        &mut self,
        connection: &mut PgConnection,
        position: i64,
        folded: Folded<'_>,
    ) -> anyhow::Result<()> {
        let mut limit = BATCH;
        while self.position < position {
            let through = position.min(self.position + limit);
            match self.fold(connection, through).await {
                Ok(()) => {
                    self.position = through;
                    limit = (limit * 2).min(BATCH);
                    folded(through, position);
                }
                Err(_) if limit > 1 => limit = 1,
                Err(source) => {
                    let name = self.fold.name();
                    return Err(CannotFold { name, position: through, source }.into());
                }
            }
        }
        Ok(())
    }

    async fn fold(&mut self, connection: &mut PgConnection, through: i64) -> anyhow::Result<()> {
        let (name, aggregates) = (self.fold.name(), self.fold.aggregates());
        let events = intake(self.store, name, aggregates, self.position, through).await?;
        let mut tx = connection.begin().await?;
        self.fold.fold(&mut tx, self.generation, &events).await?;
        Ok(tx.commit().await?)
    }
}

async fn first_difference(
    connection: &mut PgConnection,
    name: &str,
    generation: i64,
) -> anyhow::Result<Option<String>> {
    let differing = format!(
        "WITH served AS (SELECT * FROM public.{name} WHERE generation = $1),
              unlike AS ((TABLE served EXCEPT TABLE pg_temp.{name}) UNION (TABLE pg_temp.{name} EXCEPT TABLE served))
         SELECT to_jsonb(unlike) FROM unlike ORDER BY 1 LIMIT 1"
    );
    let first: Option<Value> =
        sqlx::query_scalar(&differing).bind(generation).fetch_optional(&mut *connection).await?;
    let Some(row) = first else { return Ok(None) };
    let columns = sqlx::query_scalar!(
        r#"SELECT attname::text AS "column!" FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = ANY(indkey)
           WHERE indrelid = ('public.' || quote_ident($1))::regclass AND indisprimary AND attname <> 'generation'
           ORDER BY attnum"#,
        name
    )
    .fetch_all(connection)
    .await?;
    let key = columns.iter().map(|column| format!("{column} = {}", row[column.as_str()]));
    Ok(Some(key.collect::<Vec<_>>().join(", ")))
}
