//! Driving one rebuild: fill, attach, catch up, swap.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use event_store::{EventStore, RecordedEvent};
use futures::{StreamExt, TryStreamExt, stream};
use tokio_util::task::AbortOnDropHandle;

use super::drop_retired;
use crate::{Checkpoint, Projection, intake};

/// Positions folded in one transaction while filling.
const WINDOW: i64 = 5_000;
/// Windows read and opened ahead of the fold.
const AHEAD: usize = 2;
/// A generation this close to the head stops filling by itself, and this close to the serving one it can take over.
const NEAR: i64 = 2_000;
/// Between attaching and swapping. A statement that was planned before the first sees nothing after the second, and
/// none takes this long from its plan to its snapshot.
const SETTLING: Duration = Duration::from_millis(250);

/// A rebuild in this process's hands.
pub struct Drive {
    store: EventStore,
    projection: Arc<dyn Projection>,
    checkpoint: Checkpoint,
    /// Positions of the next step: after a failure 1, to find the culprit, and then growing again.
    window: i64,
}

impl Drive {
    pub(super) const fn new(
        store: EventStore,
        projection: Arc<dyn Projection>,
        checkpoint: Checkpoint,
    ) -> Self {
        Self { store, projection, checkpoint, window: WINDOW }
    }

    /// Brings the new generation up to the log. Fails when it is cancelled, taken over, or cannot take an event.
    pub async fn build(&mut self) -> anyhow::Result<()> {
        let (lease, pool) = (self.checkpoint.clone(), self.store.pool().clone());
        tokio::select! {
            built = self.fill_and_attach() => built,
            () = lease.keep(&pool) => bail!("the rebuild was cancelled, or is driven by another process now"),
        }
    }

    /// Makes the new generation the one that serves, wherever the old one has come to meanwhile.
    pub async fn swap(&mut self) -> anyhow::Result<()> {
        let (lease, pool) = (self.checkpoint.clone(), self.store.pool().clone());
        tokio::select! {
            swapped = self.catch_up_and_swap() => swapped?,
            () = lease.keep(&pool) => bail!("the rebuild was cancelled, or is driven by another process now"),
        }
        Ok(drop_retired(&pool, self.projection.name()).await?)
    }

    /// Lets go of it: the next one who looks takes it up where it is.
    pub async fn release(self) -> Result<(), sqlx::Error> {
        self.checkpoint.release(self.store.pool()).await
    }

    async fn fill_and_attach(&mut self) -> anyhow::Result<()> {
        if !self.attached().await? {
            self.follow(NEAR, true).await?;
            sqlx::query!("SELECT attach_generation($1::text::name)", self.projection.name())
                .execute(self.store.pool())
                .await?;
        }
        self.follow(0, false).await
    }

    async fn catch_up_and_swap(&mut self) -> anyhow::Result<()> {
        tokio::time::sleep(SETTLING).await;
        loop {
            self.follow(0, false).await?;
            if self.try_swap().await?.is_break() {
                return Ok(());
            }
        }
    }

    async fn attached(&self) -> Result<bool, sqlx::Error> {
        let attached = sqlx::query_scalar!(
            r#"SELECT attached_at IS NOT NULL AS "attached!" FROM rebuilds WHERE name = $1 AND generation = $2"#,
            self.projection.name(),
            self.checkpoint.generation()
        );
        attached.fetch_one(self.store.pool()).await
    }

    /// Folds until at most `near` positions are left.
    async fn follow(&mut self, near: i64, filling: bool) -> anyhow::Result<()> {
        loop {
            let (position, head) = (self.checkpoint.position(), self.store.head().await?);
            if head - position <= near {
                return Ok(());
            }
            let until = if self.window < WINDOW { head.min(position + self.window) } else { head };
            match self.fold_until(until, filling).await {
                Ok(()) => self.window = (self.window * 2).min(WINDOW),
                Err(_) if self.window > 1 => self.window = 1,
                Err(error) => {
                    let error = error.context(format!("event {}", self.checkpoint.position() + 1));
                    self.checkpoint.fail(self.store.pool(), &format!("{error:#}")).await?;
                    return Err(error);
                }
            }
        }
    }

    /// Folds window by window, while the next ones are being read and opened.
    async fn fold_until(&mut self, until: i64, filling: bool) -> anyhow::Result<()> {
        let (store, name, aggregates) =
            (self.store.clone(), self.projection.name(), self.projection.aggregates());
        let mut begins = self.checkpoint.position();
        let windows = std::iter::from_fn(|| {
            let after = begins;
            begins = until.min(after + WINDOW);
            (after < until).then_some((after, begins))
        });
        let read = |(after, through)| {
            let store = store.clone();
            let reading = async move { intake(&store, name, aggregates, after, through).await };
            let reading = AbortOnDropHandle::new(tokio::spawn(reading));
            async move { anyhow::Ok((through, reading.await.context("reading the log")??)) }
        };
        let mut batches = stream::iter(windows.collect::<Vec<_>>()).map(read).buffered(AHEAD);
        while let Some((through, events)) = batches.try_next().await? {
            self.fold(&events, through, filling).await?;
        }
        Ok(())
    }

    async fn fold(&mut self, events: &[RecordedEvent], through: i64, filling: bool) -> anyhow::Result<()> {
        let mut tx = self.checkpoint.begin(self.store.pool()).await?.context("the lease is lost")?;
        if filling {
            // The fold names its table without a schema, and finds the one that is filled by itself.
            sqlx::query!("SELECT set_config('search_path', 'filling, public', true)")
                .fetch_one(&mut *tx)
                .await?;
        }
        self.projection.fold(&mut tx, self.checkpoint.generation(), events).await?;
        if self.checkpoint.advance(&mut tx, through).await? {
            tx.commit().await?;
        }
        Ok(())
    }

    /// Continue: the serving generation is too far ahead.
    async fn try_swap(&mut self) -> anyhow::Result<ControlFlow<()>> {
        let name = self.projection.name();
        let mut tx = self.store.pool().begin().await?;
        // In this order everywhere: the serving row, then checkpoints.
        let old = sqlx::query_scalar!(
            "SELECT generation FROM serving_projections WHERE name = $1 FOR UPDATE",
            name
        )
        .fetch_one(&mut *tx)
        .await?;
        if !self.checkpoint.lock(&mut tx).await? {
            bail!("the rebuild was cancelled, or is driven by another process now");
        }
        // From here on the old generation cannot move.
        let served = sqlx::query_scalar!(
            "DELETE FROM checkpoints WHERE name = $1 AND generation = $2 RETURNING position",
            name,
            old
        );
        let served = served.fetch_one(&mut *tx).await?;
        let position = self.checkpoint.position();
        if served - position > NEAR {
            return Ok(ControlFlow::Continue(()));
        }
        if served > position {
            let events = intake(&self.store, name, self.projection.aggregates(), position, served).await?;
            self.projection.fold(&mut tx, self.checkpoint.generation(), &events).await?;
        }
        sqlx::query!(
            "WITH serving AS (
                 UPDATE serving_projections SET generation = $2, version = $3 WHERE name = $1),
             finished AS (DELETE FROM rebuilds WHERE name = $1),
             freed AS (
                 UPDATE checkpoints SET position = $4, error = NULL, holder = NULL, leased_until = NULL
                 WHERE name = $1 AND generation = $2)
             SELECT set_config('synchronous_commit', 'on', true),
                    pg_notify('docuvault_checkpoint', $1 || ' ' || $4) AS notified",
            name,
            self.checkpoint.generation(),
            self.projection.version(),
            served.max(position)
        )
        .fetch_one(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(ControlFlow::Break(()))
    }
}
