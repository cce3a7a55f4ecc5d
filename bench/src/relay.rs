//! The relay, as a process of its own: the whole log into an empty JetStream stream, stored as the product has it stored.

use crate::backlog::Backlog;
use crate::drive::Measured;
use crate::fixture::Server;
use crate::report::Report;
use crate::stack::Stack;

pub(crate) async fn run(server: &Server, backlog: &Backlog, report: &mut Report) -> anyhow::Result<Measured> {
    backlog.forget(server).await?;
    let stack = Stack::start(server, &backlog.ours).await?;
    let (node, _) = stack.node("relay").await?;
    let measured = backlog.read_by(&["relay"]).await?;
    report.note(format!("relay process after the backlog: at most {} MB resident", node.peak_mb()?));
    node.kill().await?;
    Ok(measured)
}
