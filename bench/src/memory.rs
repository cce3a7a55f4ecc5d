//! What a process of each role takes of memory while a backlog waits for it.

use std::time::Duration;

use crate::backlog::{Backlog, projected};
use crate::fixture::Server;
use crate::report::Report;
use crate::stack::Stack;

/// A role that has no checkpoint to look at, or does not get through, is watched for so long.
const AT_MOST: Duration = Duration::from_secs(20);

pub(crate) async fn run(server: &Server, backlog: &Backlog, report: &mut Report) -> anyhow::Result<()> {
    backlog.forget(server).await?;
    let stack = Stack::start(server, &backlog.ours).await?;
    let roles = [
        // The first, for it fills what the consumers read.
        ("relay", vec!["relay"]),
        ("projector", projected()),
        ("audit", vec!["audit_trail"]),
        ("classifier", vec![]),
        ("notifier", vec![]),
        ("sweeper", vec!["object_deletion"]),
        ("api", vec![]),
    ];
    for (role, names) in roles {
        let (node, _) = stack.node(role).await?;
        let started = node.resident_mb()?;
        let through = match names.as_slice() {
            [] => {
                tokio::time::sleep(AT_MOST / 4).await;
                "watched for a while"
            }
            names => match tokio::time::timeout(AT_MOST * 6, backlog.read_by(names)).await {
                Ok(read) => {
                    read?;
                    "read it all"
                }
                Err(_) => "did not get through",
            },
        };
        report.note(format!(
            "memory {role}: {started} MB resident at the start, {} MB at most ({through})",
            node.peak_mb()?
        ));
        node.kill().await?;
    }
    Ok(())
}
