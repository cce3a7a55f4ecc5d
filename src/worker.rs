//! Starts the roles of one process and stops them together: when one of them ends, all do, and the process says so.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use futures::FutureExt;
use metrics_exporter_prometheus::PrometheusHandle;
use projections::Subscriptions;
use tokio::sync::oneshot;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::app::App;
use crate::auth::setup;
use crate::config::Config;
use crate::roles::{ProcessRole, ProcessRoles};
use crate::serve::Sockets;
use crate::telemetry::serve_metrics;
use crate::{consumers, http, mail, processes, relay};

/// How long the roles get to finish what they are at.
const STOP_TIME: Duration = Duration::from_secs(15);

/// Runs every role until `shutdown`, then drains and returns. `ready` is told once requests are answered.
pub(crate) async fn run(
    config: Config,
    roles: ProcessRoles,
    sockets: Sockets,
    figures: PrometheusHandle,
    shutdown: CancellationToken,
    ready: oneshot::Sender<()>,
) -> anyhow::Result<()> {
    let mut tasks = Tasks { tasks: JoinSet::new(), stop: shutdown.child_token() };
    let app = Box::pin(App::build(config, tasks.stop.clone())).await?;

    tasks.start(
        "metrics",
        serve_metrics(sockets.metrics, figures, http::health_routes(&app), tasks.stop.clone()),
    );
    tasks.start_subscribers(&app, &roles);
    if let Some(socket) = sockets.api {
        tasks.start("api", http::serve(socket, http::router(&app), tasks.stop.clone()));
        setup::announce_link(&app).await?;
    }
    // The receiver is gone when nobody waits for readiness any more.
    let _ = ready.send(());
    tasks.finish(&app.afterwards).await
}

/// The tasks of this process, each with its name.
struct Tasks {
    tasks: JoinSet<(&'static str, anyhow::Result<()>)>,
    stop: CancellationToken,
}

impl Tasks {
    fn start(&mut self, name: &'static str, task: impl Future<Output = anyhow::Result<()>> + Send + 'static) {
        self.tasks.spawn(async move { (name, task.await) });
    }

    fn start_subscribers(&mut self, app: &Arc<App>, roles: &ProcessRoles) {
        let (store, stop) = (app.store.clone(), self.stop.clone());
        self.start("lag", projections::observe(store.pool().clone(), stop.clone()).map(Ok));
        let head = store.watch(stop.clone());
        let subscriptions = Subscriptions { store: store.clone(), head, alone: roles.are_alone() };
        if roles.has(ProcessRole::Projector) {
            for projection in projections::all().into_iter().filter(|one| one.serves_requests()) {
                let name = projection.name();
                self.start(name, subscriptions.clone().project(projection, stop.clone()).map(Ok));
            }
            let rebuilds = subscriptions.clone().carry_on_rebuilds(projections::all(), stop.clone());
            self.start("rebuilds", rebuilds.map(Ok));
        }
        if roles.has(ProcessRole::Sweeper) {
            let (blobs, freshness) = (app.blobs.clone(), app.freshness.clone());
            let parts = processes::Parts { subscriptions: subscriptions.clone(), blobs, freshness };
            for (name, run) in processes::all(&parts, &stop) {
                self.start(name, run.map(Ok));
            }
        }
        if roles.has(ProcessRole::Notifier) {
            self.start(mail::NAME, mail::run(app.clone(), self.stop.clone()));
        }
        let Some(nats) = &app.config.nats else { return };
        if roles.has(ProcessRole::Relay) {
            let durables = consumers::durables(app);
            self.start(relay::NAME, relay::run(subscriptions, nats.clone(), durables, stop.clone()));
        }
        for consumer in consumers::all(app) {
            if roles.run_consumer(consumer.name()) {
                let name = consumer.name();
                self.start(name, consumers::run(consumer, store.clone(), nats.clone(), stop.clone()));
            }
        }
    }

    /// Waits for `stop`, or for the first role that ends before it; then for all of them, and for what answers have left
    /// to be done afterwards.
    async fn finish(mut self, afterwards: &TaskTracker) -> anyhow::Result<()> {
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
            afterwards.close();
            afterwards.wait().await;
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
