//! A long log, and how far its subscriptions are.

use std::time::{Duration, Instant};

use sqlx::{Connection, PgConnection, PgPool};

use crate::drive::Measured;
use crate::fixture::Server;
use crate::ours::{self, DATABASE, Ours};
use crate::report::progress;
use crate::seed;

const LOOK_EVERY: Duration = Duration::from_millis(10);
const EVENTS_A_DOCUMENT: i64 = 4;

/// A log that nobody has read yet. It grows with what is asked of it.
pub(crate) struct Backlog {
    pub ours: Ours,
}

impl Backlog {
    pub(crate) async fn open(server: &Server) -> anyhow::Result<Self> {
        let ours = ours::open(server, 32).await?;
        seed::quotas(&ours.store, &ours.owners).await?;
        Ok(Self { ours })
    }

    /// Appends until the log holds `events`, or a few more.
    pub(crate) async fn grow(&self, events: i64) -> anyhow::Result<()> {
        let store = &self.ours.store;
        let lacking = events - store.head().await?;
        if lacking > 0 {
            let started = Instant::now();
            let documents = u32::try_from(lacking / EVENTS_A_DOCUMENT + 1)?;
            seed::documents(store, &self.ours.owners, documents).await?;
            progress(&format!("  {lacking} events appended in {:.1} s", started.elapsed().as_secs_f64()));
        }
        Ok(())
    }

    /// Empties every read model and sends every subscription back to the beginning.
    pub(crate) async fn forget(&self, server: &Server) -> anyhow::Result<()> {
        let mut admin = PgConnection::connect_with(&server.owner(DATABASE)).await?;
        for projection in projections::all() {
            let sql = format!("TRUNCATE {}", projection.name());
            sqlx::raw_sql(&sql).execute(&mut admin).await?;
        }
        let sql = "UPDATE checkpoints SET position = 0, error = NULL, holder = NULL, leased_until = NULL";
        sqlx::raw_sql(sql).execute(&mut admin).await?;
        Ok(())
    }

    /// Waits until the subscriptions `names` have read the whole log: events per second, from the first that were read.
    pub(crate) async fn read_by(&self, names: &[&str]) -> anyhow::Result<Measured> {
        let head = self.ours.store.head().await?;
        let pool = self.ours.store.pool();
        let mut first = None;
        loop {
            let standing = standing(pool, names).await?;
            let (position, at) = *first.get_or_insert((standing, Instant::now()));
            if position == 0 {
                first = None;
            } else if standing >= head {
                return Ok(Measured::whole(head - position, at.elapsed()));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

/// Up to where all of the subscriptions `names` have come.
pub(crate) async fn standing(pool: &PgPool, names: &[&str]) -> anyhow::Result<i64> {
    let position = sqlx::query_scalar(
        "SELECT CASE WHEN count(*) = cardinality($1) THEN min(position) ELSE 0 END
         FROM checkpoints LEFT JOIN serving_projections serving USING (name)
         WHERE name = ANY($1) AND checkpoints.generation = coalesce(serving.generation, 1)",
    );
    Ok(position.bind(names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>()).fetch_one(pool).await?)
}

/// The read models that a projector keeps.
pub(crate) fn projected() -> Vec<&'static str> {
    let kept = projections::all().into_iter().filter(|projection| projection.serves_requests());
    kept.map(|projection| projection.name()).collect()
}
