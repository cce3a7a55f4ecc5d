//! What a projector does about rebuilds: it drives those that nobody drives, begins one when its fold is newer than
//! what serves, and drops what has been retired.

use std::sync::Arc;

use tokio::time::interval;
use tokio_util::sync::CancellationToken;

use super::{Rebuild, drop_retired};
use crate::checkpoint::LOOK_EVERY;
use crate::serving::{Serving, fold_of};
use crate::{Holder, Projection, Subscriptions};

/// Looks between two tries to drop what is retired: each makes readers wait for a moment.
const RETIRE_EVERY: u64 = 5;

impl Subscriptions {
    /// Carries rebuilds of `projections` on, one after the other, until `stop`.
    pub async fn carry_on_rebuilds(self, projections: Vec<Arc<dyn Projection>>, stop: CancellationToken) {
        let mut ticks = interval(LOOK_EVERY);
        for look in 0_u64.. {
            if stop.run_until_cancelled(ticks.tick()).await.is_none() {
                return;
            }
            for projection in &projections {
                if let Err(error) = self.tend(projection, look.is_multiple_of(RETIRE_EVERY), &stop).await {
                    let name = projection.name();
                    tracing::error!(name, error = format!("{error:#}"), "a rebuild is stopped");
                }
            }
        }
    }

    async fn tend(
        &self,
        projection: &Arc<dyn Projection>,
        retire: bool,
        stop: &CancellationToken,
    ) -> anyhow::Result<()> {
        let (pool, name) = (self.store.pool(), projection.name());
        let Some(serving) = Serving::of(pool, name).await? else { return Ok(()) };
        match Rebuild::find(pool, name).await? {
            Some(rebuild) if !rebuild.driven && !rebuild.resting => {
                // A fold that this release does not have is another release's to drive.
                let Some(fold) = fold_of(projection, rebuild.version) else { return Ok(()) };
                let holder = Holder::new(self.store.clock(), false);
                let Some(mut drive) = rebuild.take_up(&self.store, fold, holder).await? else {
                    return Ok(());
                };
                match stop.run_until_cancelled(drive.build()).await {
                    Some(Ok(())) => drive.swap().await?,
                    Some(Err(error)) => {
                        drive.release().await?;
                        return Err(error);
                    }
                    None => drive.release().await?,
                }
            }
            None if projection.version() > serving.version => {
                Rebuild::begin(pool, projection.as_ref(), None).await?;
            }
            None if retire => drop_retired(pool, name).await?,
            _ => {}
        }
        Ok(())
    }
}
