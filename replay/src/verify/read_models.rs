//! The third pass: each projection against a fresh fold of the log. The same fold that feeds the real table fills a
//! temporary one of the same name; both are compared as of the projection's checkpoint, in one snapshot.

use std::sync::Arc;

use anyhow::bail;
use event_store::{EventStore, StoreError};
use projections::Subscriber;
use serde_json::Value;
use sqlx::{Connection, PgConnection, PgPool};

use super::{Report, Verified};
use crate::progress::Progress;

const BATCH: i64 = 2_000;

/// A checkpoint beyond the end of the log has seen events that are no longer there.
pub(super) async fn check_checkpoints(pool: &PgPool, report: &mut Report) -> anyhow::Result<()> {
    let rows = sqlx::query!(
        r#"SELECT name, checkpoints.position, error, head AS "head!"
           FROM checkpoints, (SELECT coalesce(max(position), 0) AS head FROM events) log ORDER BY name"#
    )
    .fetch_all(pool)
    .await?;
    for row in rows {
        if row.position > row.head {
            let cut = format!("missing: `{}` had come to position {} of the log", row.name, row.position);
            report.found(Some(row.head + 1), cut);
        }
        if let Some(error) = row.error {
            report
                .not_checked(&format!("`{}` is stopped behind position {}: {error}", row.name, row.position));
        }
    }
    Ok(())
}

/// Compares every projection.
pub(super) async fn compare(
    store: &EventStore,
    report: &mut Report,
    progress: Progress<'_>,
) -> anyhow::Result<()> {
    for projection in projections::all() {
        let options = store.pool().connect_options();
        let mut connection = PgConnection::connect_with(&options).await?;
        let comparison = Comparison { store, projection, connection: &mut connection, folded: 0 };
        comparison.run(report, &mut *progress).await?;
        connection.close().await?;
    }
    Ok(())
}

struct Comparison<'a> {
    store: &'a EventStore,
    projection: Arc<dyn Subscriber>,
    /// Its temporary table shadows the real one.
    connection: &'a mut PgConnection,
    folded: i64,
}

impl Comparison<'_> {
    async fn run(mut self, report: &mut Report, progress: Progress<'_>) -> anyhow::Result<()> {
        let name = self.projection.name();
        let create = format!("CREATE TEMP TABLE {name} (LIKE public.{name} INCLUDING ALL)");
        sqlx::query(&create).execute(&mut *self.connection).await?;
        let Some(position) = self.checkpoint().await? else {
            report.not_checked(&format!("projection `{name}` has not run yet"));
            return Ok(());
        };
        // The long part first, outside of the snapshot: a server under way must not wait for it.
        if !self.fold(position, report, progress).await? {
            return Ok(());
        }
        sqlx::query("BEGIN ISOLATION LEVEL REPEATABLE READ").execute(&mut *self.connection).await?;
        let position = self.checkpoint().await?.unwrap_or(position);
        if position < self.folded {
            bail!(
                "projection `{name}` went back from position {} to {position}: is it rebuilt?",
                self.folded
            );
        }
        if !self.fold(position, report, progress).await? {
            return Ok(());
        }
        let verified = self.differences(position, report).await?;
        report.projections.push(verified);
        Ok(())
    }

    async fn checkpoint(&mut self) -> Result<Option<i64>, sqlx::Error> {
        let name = self.projection.name();
        let query = sqlx::query_scalar!("SELECT position FROM checkpoints WHERE name = $1", name);
        query.fetch_optional(&mut *self.connection).await
    }

    /// Folds on to `position`. False: an event cannot be folded, and is reported.
    async fn fold(
        &mut self,
        position: i64,
        report: &mut Report,
        progress: Progress<'_>,
    ) -> anyhow::Result<bool> {
        while self.folded < position {
            let events = match self.store.read(self.folded, BATCH.min(position - self.folded)).await {
                Ok(events) => events,
                Err(StoreError::Open { position, source }) => {
                    report.found(Some(position), source.to_string());
                    return Ok(false);
                }
                Err(error) => return Err(error.into()),
            };
            let Some(last) = events.last().map(|event| event.position) else {
                bail!("the log ended at position {}", self.folded);
            };
            if let Err(error) = self.projection.handle(self.connection, &events).await {
                let problem = format!("`{}` cannot be folded: {error:#}", self.projection.name());
                report.found(None, format!("{problem} (positions {} to {last})", self.folded + 1));
                return Ok(false);
            }
            self.folded = last;
            progress(self.projection.name(), u64::try_from(last)?, u64::try_from(position)?);
        }
        Ok(true)
    }

    async fn differences(&mut self, position: i64, report: &mut Report) -> anyhow::Result<Verified> {
        let name = self.projection.name();
        let differing = format!(
            "WITH unlike AS ((TABLE public.{name} EXCEPT TABLE pg_temp.{name})
                             UNION (TABLE pg_temp.{name} EXCEPT TABLE public.{name}))
             SELECT (SELECT count(*) FROM public.{name}), (SELECT to_jsonb(unlike) FROM unlike ORDER BY 1 LIMIT 1)"
        );
        let (rows, first): (i64, Option<Value>) =
            sqlx::query_as(&differing).fetch_one(&mut *self.connection).await?;
        if let Some(first) = &first {
            let key = self.key_of(first).await?;
            let problem = format!(
                "projection `{name}` differs from a fresh fold at position {position}, first at {key}"
            );
            report.found(None, problem);
        }
        Ok(Verified { name, position, rows, equal: first.is_none() })
    }

    /// The primary key of `row`, and nothing else: rows hold personal data.
    async fn key_of(&mut self, row: &Value) -> Result<String, sqlx::Error> {
        let columns = sqlx::query_scalar!(
            r#"SELECT attname::text AS "column!" FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = ANY(indkey)
               WHERE indrelid = ('public.' || quote_ident($1))::regclass AND indisprimary ORDER BY attnum"#,
            self.projection.name()
        )
        .fetch_all(&mut *self.connection)
        .await?;
        let key = columns.iter().map(|column| format!("{column} = {}", row[column.as_str()]));
        Ok(key.collect::<Vec<_>>().join(", "))
    }
}
