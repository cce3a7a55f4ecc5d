//! Online rebuild: a new generation of a projection's rows fills beside the one that serves, catches up, and takes its
//! place in one UPDATE. Queries meanwhile answer from the old generation, and a long reader delays nothing. Whoever
//! drives a rebuild holds the lease on the checkpoint of the new generation; when it dies, another takes it up where
//! it was. Nothing but the projection's fold runs: neither relay nor processes notice.

mod carry_on;
mod drive;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use event_store::EventStore;
use sqlx::PgPool;

pub use drive::Drive;

use crate::{Checkpoint, Holder, Projection};

/// A rebuild that has begun and has not swapped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rebuild {
    pub generation: i64,
    /// Of the fold that fills it.
    pub version: i32,
    /// Its driver died, and nobody or a projector carries it on.
    pub orphaned: bool,
    /// Somebody drives it: until then, by the database's clock.
    pub leased_until: Option<DateTime<Utc>>,
    /// That time has not passed.
    pub driven: bool,
    /// An event that the fold cannot take was met less than five seconds ago.
    pub resting: bool,
}

impl Rebuild {
    /// The rebuild of the projection `name` that is under way.
    pub async fn find(pool: &PgPool, name: &str) -> Result<Option<Self>, sqlx::Error> {
        sqlx::query_as!(
            Rebuild,
            r#"SELECT rebuilds.generation, rebuilds.version, orphaned, leased_until,
                      coalesce(leased_until > clock_timestamp(), false) AS "driven!",
                      error IS NOT NULL AND updated_at > clock_timestamp() - interval '5 seconds' AS "resting!"
               FROM rebuilds JOIN checkpoints USING (name, generation) WHERE name = $1"#,
            name
        )
        .fetch_optional(pool)
        .await
    }

    /// Begins one, for `driver` to take up or for whoever looks first. False: one is under way already.
    pub async fn begin(
        pool: &PgPool,
        projection: &dyn Projection,
        driver: Option<Holder>,
    ) -> Result<bool, sqlx::Error> {
        let begun = sqlx::query_scalar!(
            "SELECT begin_rebuild($1::text::name, $2, $3)",
            projection.name(),
            projection.version(),
            driver.map(|driver| driver.id)
        );
        Ok(begun.fetch_one(pool).await?.is_some())
    }

    /// Gives it up, with all that it has filled. False: there is none.
    pub async fn cancel(pool: &PgPool, name: &str) -> Result<bool, sqlx::Error> {
        let cancelled = sqlx::query_scalar!(r#"SELECT cancel_rebuild($1::text::name) AS "cancelled!""#, name);
        let cancelled = cancelled.fetch_one(pool).await?;
        drop_retired(pool, name).await?;
        Ok(cancelled)
    }

    /// Takes over the driving, if nobody but `holder` drives it.
    pub async fn take_up(
        &self,
        store: &EventStore,
        projection: Arc<dyn Projection>,
        holder: Holder,
    ) -> Result<Option<Drive>, sqlx::Error> {
        let name = projection.name();
        let mut tx = store.pool().begin().await?;
        let Some(checkpoint) = Checkpoint::claim_in(&mut tx, name, self.generation, holder).await? else {
            return Ok(None);
        };
        // A lease that ran out was left by a driver that died.
        sqlx::query!(
            "UPDATE rebuilds SET driven_from = $2, driven_since = clock_timestamp(), orphaned = orphaned OR $3
             WHERE name = $1",
            name,
            checkpoint.position(),
            self.leased_until.is_some() && !self.driven
        )
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(Some(Drive::new(store.clone(), projection, checkpoint)))
    }
}

/// Drops generations that no longer serve. Where readers are in the way they stay, until the next try.
pub(crate) async fn drop_retired(pool: &PgPool, name: &str) -> Result<(), sqlx::Error> {
    let dropped = sqlx::query_scalar!("SELECT drop_retired_generations($1::text::name)", name);
    match dropped.fetch_one(pool).await {
        Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some("55P03") => {
            tracing::debug!(name, "somebody still reads a retired generation: it is dropped later");
            Ok(())
        }
        done => done.map(drop),
    }
}
