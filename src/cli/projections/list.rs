use projections::{State, Status};

use crate::app::App;
use crate::cli::output::{self, Format};

/// How each projection stands.
pub(super) async fn list(app: &App, format: Format) -> anyhow::Result<()> {
    let all = Status::all(app.store.pool()).await?;
    if format != Format::Table {
        return output::values(format, &all);
    }
    output::line(&format!("{:<20} {:>7} {:>12} {:>10}  {}", "NAME", "VERSION", "POSITION", "LAG", "STATE"))?;
    for one in &all {
        let Status { name, version, position, lag, .. } = one;
        output::line(&format!("{name:<20} {version:>7} {position:>12} {lag:>10}  {}", state(one)))?;
        if let Some(error) = &one.error {
            output::line(&format!("    {error}"))?;
        }
        for skip in &one.skipped {
            output::line(&format!(
                "    passes over position {} ({}), as {} had it at {}: {}",
                skip.position, skip.error, skip.skipped_by, skip.skipped_at, skip.reason
            ))?;
        }
    }
    Ok(())
}

fn state(one: &Status) -> String {
    let progress = one.progress.as_ref().map(super::progress::describe).unwrap_or_default();
    match one.state {
        State::Running => "running".into(),
        State::Stopped => format!("STOPPED {progress}").trim_end().into(),
        State::Rebuilding => format!("rebuilding: {progress}"),
        State::Waiting => "waiting: no projector runs it".into(),
    }
}
