//! Read models from position 0: all of them in a projector process, or one alone.

use std::sync::Arc;

use projections::{Projection, Subscriptions};
use tokio_util::sync::CancellationToken;

use crate::backlog::{Backlog, projected};
use crate::drive::Measured;
use crate::fixture::Server;
use crate::report::Report;
use crate::stack::Stack;

/// Events of the log per second until the last of the projections has read it.
pub(crate) async fn all(server: &Server, backlog: &Backlog, report: &mut Report) -> anyhow::Result<Measured> {
    backlog.forget(server).await?;
    let stack = Stack::start(server, &backlog.ours).await?;
    let (node, _) = stack.node("projector").await?;
    let measured = backlog.read_by(&projected()).await?;
    report.note(format!("projector process after the backlog: at most {} MB resident", node.peak_mb()?));
    node.kill().await?;
    Ok(measured)
}

/// One, with the machine to itself.
pub(crate) async fn one(
    server: &Server,
    backlog: &Backlog,
    projection: Arc<dyn Projection>,
) -> anyhow::Result<Measured> {
    backlog.forget(server).await?;
    let (name, stop) = (projection.name(), CancellationToken::new());
    let store = backlog.ours.store.clone();
    let subscriptions = Subscriptions { head: store.watch(stop.clone()), store, alone: true };
    let following = tokio::spawn(subscriptions.project(projection, stop.clone()));
    let measured = backlog.read_by(&[name]).await?;
    stop.cancel();
    following.await?;
    Ok(measured)
}
