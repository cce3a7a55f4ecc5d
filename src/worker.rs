//! Starts the roles of one process and stops them together: when one of them ends, all do, and the process says so.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use futures::FutureExt;
use projections::Subscriptions;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::auth::setup;
use crate::config::Config;
use crate::{http, processes};

/// How long the roles get to finish what they are at.
const STOP_TIME: Duration = Duration::from_secs(15);

/// Runs every role until `shutdown`, then drains and returns. `ready` is told once requests are answered. `alone`:
/// no other process can be at work on this database.
pub async fn run(
    config: Config,
    alone: bool,
    api: TcpListener,
    shutdown: CancellationToken,
    ready: oneshot::Sender<()>,
) -> anyhow::Result<()> {
    let mut roles = Roles { tasks: JoinSet::new(), stop: shutdown.child_token() };
    let app = Box::pin(App::build(config, roles.stop.clone())).await?;

    roles.start_subscribers(&app, alone);
    roles.start("api", http::serve(api, http::router(&app), roles.stop.clone()));
    setup::announce_link(&app).await?;
    // The receiver is gone when nobody waits for readiness any more.
    let _ = ready.send(());
    roles.finish().await
}

/// The tasks of this process, each with its name.
struct Roles {
    tasks: JoinSet<(&'static str, anyhow::Result<()>)>,
    stop: CancellationToken,
}

impl Roles {
    fn start(&mut self, name: &'static str, role: impl Future<Output = anyhow::Result<()>> + Send + 'static) {
        self.tasks.spawn(async move { (name, role.await) });
    }

    fn start_subscribers(&mut self, app: &Arc<App>, alone: bool) {
        let (store, stop) = (app.store.clone(), self.stop.clone());
        self.start("lag", projections::observe(store.pool().clone(), stop.clone()).map(Ok));
        let subscriptions = Subscriptions { head: store.watch(stop.clone()), store, alone };
        for projection in projections::all() {
            let name = projection.name();
            self.start(name, subscriptions.clone().project(projection, stop.clone()).map(Ok));
        }
        let rebuilds = subscriptions.clone().carry_on_rebuilds(projections::all(), stop);
        self.start("rebuilds", rebuilds.map(Ok));
        let parts =
            processes::Parts { subscriptions, blobs: app.blobs.clone(), freshness: app.freshness.clone() };
        for (name, run) in processes::all(&parts, &self.stop) {
            self.start(name, run.map(Ok));
        }
    }

    /// Waits for `stop`, or for the first role that ends before it; then for all of them.
    async fn finish(mut self) -> anyhow::Result<()> {
        let first = self.stop.run_until_cancelled(self.tasks.join_next()).await.flatten();
        let outcome = match first {
            Some(ended) if !self.stop.is_cancelled() => Err(unasked(ended)),
            // It heard of the stop before we did.
            Some(ended) => {
                log_failure(ended);
                Ok(())
            }
            None => Ok(()),
        };
        self.stop.cancel();
        let all_end = async {
            while let Some(ended) = self.tasks.join_next().await {
                log_failure(ended);
            }
        };
        tokio::time::timeout(STOP_TIME, all_end).await.context("not every role stopped in time")?;
        outcome
    }
}

/// How a role ended: its name and result, or that it panicked.
type Ended = Result<(&'static str, anyhow::Result<()>), JoinError>;

/// Nobody asked the role to end, so even a good end is an error.
fn unasked(ended: Ended) -> anyhow::Error {
    match ended {
        Ok((name, Ok(()))) => anyhow!("{name} ended by itself"),
        Ok((name, Err(error))) => error.context(format!("{name} failed")),
        Err(panic) => anyhow!("a role panicked: {panic}"),
    }
}

fn log_failure(ended: Ended) {
    match ended {
        Ok((_, Ok(()))) => {}
        Ok((role, Err(error))) => tracing::warn!(role, error = format!("{error:#}"), "a role stopped badly"),
        Err(error) => tracing::warn!(%error, "a role stopped badly"),
    }
}
