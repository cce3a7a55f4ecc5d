//! The one loop behind every projection and process: wake, read, handle, advance; one leader at a time.
//!
//! What a projection writes commits together with its checkpoint, so after a crash it goes on as if nothing had
//! happened. An event that cannot be handled stops its subscription loudly, with position and error in the
//! checkpoint's row; it is tried again and again, and passed over only when an operator says so. Others go on.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use event_store::{EventStore, LogHead, RecordedEvent};
use tokio_util::sync::CancellationToken;

use crate::checkpoint::LOOK_EVERY;
use crate::serving::{Serving, fold_of};
use crate::{Checkpoint, Holder, Process, Projection, intake};

/// Events handled at a time, at most.
const BATCH: i64 = 2_000;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// What subscriptions run on. Cheap to clone.
#[derive(Clone)]
pub struct Subscriptions {
    pub store: EventStore,
    pub head: LogHead,
    /// This process is alone on its database, so leases that it finds at its start were left by a dead one.
    pub alone: bool,
}

impl Subscriptions {
    /// Keeps `projection` up to date, whenever this process leads it, until `stop`.
    pub async fn project(self, projection: Arc<dyn Projection>, stop: CancellationToken) {
        self.run(Work::Fold(projection), stop).await;
    }

    /// Runs `process`, whenever this process leads it, until `stop`.
    pub async fn process(self, process: Arc<dyn Process>, stop: CancellationToken) {
        self.run(Work::Act(process), stop).await;
    }

    async fn run(self, work: Work, stop: CancellationToken) {
        let Self { store, head, alone } = self;
        let holder = Holder::new(store.clock(), alone);
        let mut runner = Runner { work, store, head, holder, limit: BATCH, pause: FIRST_PAUSE };
        while !stop.is_cancelled() {
            if let Err(error) = runner.lead(&stop).await {
                runner.complain(&error);
                stop.run_until_cancelled(runner.rest()).await;
            }
        }
    }
}

#[derive(Clone)]
enum Work {
    Fold(Arc<dyn Projection>),
    Act(Arc<dyn Process>),
}

struct Runner {
    work: Work,
    store: EventStore,
    head: LogHead,
    holder: Holder,
    /// Events of the next batch: after a failure 1, to find the culprit, and then growing again.
    limit: i64,
    pause: Duration,
}

/// A turn as leader: the lease, and what to do. Of a projection that is the fold that wrote the serving generation.
struct Turn {
    checkpoint: Checkpoint,
    work: Work,
}

impl Runner {
    /// Waits for the lease and leads until it is lost, or until `stop`: then the lease is given back.
    async fn lead(&mut self, stop: &CancellationToken) -> anyhow::Result<()> {
        let Some(turn) = stop.run_until_cancelled(self.wait_for_turn()).await else { return Ok(()) };
        let mut turn = turn?;
        // A lease that is found later is another process's, and alive.
        self.holder.alone = false;
        let (lease, pool) = (turn.checkpoint.clone(), self.store.pool().clone());
        let outcome = tokio::select! {
            outcome = self.follow(&mut turn) => outcome,
            () = lease.keep(&pool) => Ok(()),
            () = stop.cancelled() => Ok(lease.release(&pool).await?),
        };
        if !stop.is_cancelled() && outcome.is_ok() {
            tracing::info!(name = self.work.name(), "the lease of this subscription is lost: standing by");
        }
        outcome
    }

    async fn wait_for_turn(&self) -> anyhow::Result<Turn> {
        loop {
            if let Some(turn) = self.claim().await? {
                return Ok(turn);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn claim(&self) -> anyhow::Result<Option<Turn>> {
        let (pool, name) = (self.store.pool(), self.work.name());
        let projection = match &self.work {
            Work::Act(_) => {
                let claimed = Checkpoint::claim(pool, name, self.holder).await?;
                return Ok(claimed.map(|checkpoint| Turn { checkpoint, work: self.work.clone() }));
            }
            Work::Fold(projection) => projection,
        };
        let serving = Serving::of(pool, name).await?.context("its migration is missing")?;
        let fold = fold_of(projection, serving.version).with_context(|| {
            format!(
                "version {} of it serves, and this release folds version {}: run `docuvault projections prepare` with \
                 this release, or start the release that serves",
                serving.version,
                projection.version()
            )
        })?;
        let claimed = Checkpoint::claim_generation(pool, name, serving.generation, self.holder).await?;
        Ok(claimed.map(|checkpoint| Turn { checkpoint, work: Work::Fold(fold) }))
    }

    /// Follows the log. Returns when the lease is lost or the database fails.
    async fn follow(&mut self, turn: &mut Turn) -> anyhow::Result<()> {
        while self.head.beyond(turn.checkpoint.position()).await {
            match self.batch(turn).await {
                Ok(ControlFlow::Continue(())) => {
                    self.limit = (self.limit * 2).min(BATCH);
                    self.pause = FIRST_PAUSE;
                }
                Ok(ControlFlow::Break(())) => return Ok(()),
                Err(_) if self.limit > 1 => self.limit = 1,
                Err(error) => {
                    self.complain(&error);
                    let text = format!("event {}: {error:#}", turn.checkpoint.position() + 1);
                    turn.checkpoint.fail(self.store.pool(), &text).await?;
                    self.rest().await;
                }
            }
        }
        std::future::pending().await
    }

    /// Break: another process leads, and nothing was written.
    async fn batch(&self, turn: &mut Turn) -> anyhow::Result<ControlFlow<()>> {
        let after = turn.checkpoint.position();
        let through = self.head.get().min(after + self.limit);
        let events = intake(&self.store, self.work.name(), turn.work.aggregates(), after, through).await?;
        let advanced = match &turn.work {
            Work::Fold(fold) => {
                project(&self.store, fold.as_ref(), &mut turn.checkpoint, &events, through).await?
            }
            Work::Act(process) => {
                process.handle(&events).await?;
                let mut connection = self.store.pool().acquire().await?;
                turn.checkpoint.advance(&mut connection, through).await?
            }
        };
        Ok(if advanced { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
    }

    fn complain(&self, error: &anyhow::Error) {
        let name = self.work.name();
        tracing::error!(name, error = format!("{error:#}"), "a subscription is stopped");
    }

    async fn rest(&mut self) {
        tokio::time::sleep(self.pause).await;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }
}

impl Work {
    fn name(&self) -> &'static str {
        match self {
            Self::Fold(projection) => projection.name(),
            Self::Act(process) => process.name(),
        }
    }

    fn aggregates(&self) -> Option<&'static [&'static str]> {
        match self {
            Self::Fold(projection) => projection.aggregates(),
            Self::Act(process) => process.aggregates(),
        }
    }
}

/// Folds `events`, all that `projection` wants up to `through`, and moves its checkpoint there, in one transaction.
/// False: another process leads, and nothing was written.
pub async fn project(
    store: &EventStore,
    projection: &dyn Projection,
    checkpoint: &mut Checkpoint,
    events: &[RecordedEvent],
    through: i64,
) -> anyhow::Result<bool> {
    let Some(mut tx) = checkpoint.begin(store.pool()).await? else { return Ok(false) };
    projection.fold(&mut tx, checkpoint.generation(), events).await?;
    let advanced = checkpoint.advance(&mut tx, through).await?;
    tx.commit().await?;
    Ok(advanced)
}
