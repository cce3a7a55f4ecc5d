//! A projection for tests: it notes what it was given, can refuse an event, and can have a second version.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use aggregates::User;
use anyhow::ensure;
use cqrs_es::Aggregate;
use event_store::RecordedEvent;
use futures::FutureExt;
use futures::future::BoxFuture;
use sqlx::{PgConnection, PgPool};

use crate::Projection;

pub(super) struct Notes {
    version: i32,
    /// The position that it refuses; 0: none.
    pub(super) refused: AtomicI64,
}

impl Notes {
    /// Makes its table in the database of a test.
    pub(super) async fn migrate(pool: &PgPool) {
        sqlx::raw_sql(
            "CREATE TABLE notes (
                 generation bigint NOT NULL, position bigint NOT NULL, version integer NOT NULL,
                 PRIMARY KEY (generation, position)
             ) PARTITION BY LIST (generation);
             SELECT add_projection('notes')",
        )
        .execute(pool)
        .await
        .unwrap();
    }

    pub(super) fn new(version: i32) -> Arc<Self> {
        Arc::new(Self { version, refused: AtomicI64::new(0) })
    }

    pub(super) fn refusing(position: i64) -> Arc<Self> {
        Arc::new(Self { version: 1, refused: AtomicI64::new(position) })
    }

    /// Positions and versions of what serves.
    pub(super) async fn served(pool: &PgPool) -> Vec<(i64, i32)> {
        sqlx::query_as(
            "SELECT position, version FROM notes
             WHERE generation = (SELECT generation FROM serving_projections WHERE name = 'notes') ORDER BY position",
        )
        .fetch_all(pool)
        .await
        .unwrap()
    }
}

impl Projection for Notes {
    fn name(&self) -> &'static str {
        "notes"
    }

    fn version(&self) -> i32 {
        self.version
    }

    fn aggregates(&self) -> Option<&'static [&'static str]> {
        Some(&[User::TYPE])
    }

    fn fold<'a>(
        &'a self,
        tx: &'a mut PgConnection,
        generation: i64,
        events: &'a [RecordedEvent],
    ) -> BoxFuture<'a, anyhow::Result<()>> {
        async move {
            let positions: Vec<i64> = events.iter().map(|event| event.position).collect();
            sqlx::query("INSERT INTO notes SELECT $1, unnest($2::bigint[]), $3")
                .bind(generation)
                .bind(&positions)
                .bind(self.version)
                .execute(tx)
                .await?;
            // Rows first: they must go when the batch fails.
            let refused = self.refused.load(Ordering::SeqCst);
            ensure!(!positions.contains(&refused), "this one I do not take");
            Ok(())
        }
        .boxed()
    }

    fn previous(&self) -> Option<Arc<dyn Projection>> {
        (self.version == 2).then(|| Self::new(1) as Arc<dyn Projection>)
    }
}
