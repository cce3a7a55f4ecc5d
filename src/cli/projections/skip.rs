use nix::unistd::{Uid, User};
use projections::{Projection, audit_trail};

use crate::app::App;
use crate::cli::output;
use crate::failure::Failure;

/// Has `projection` pass over the event at `position`, at which it is stopped.
pub(super) async fn skip(
    app: &App,
    projection: &dyn Projection,
    position: i64,
    reason: &str,
) -> anyhow::Result<()> {
    let name = projection.name();
    if name == audit_trail::NAME {
        let remedy = "mend what keeps the event from it, or run a release that knows the event";
        return Err(Failure::new("the audit trail leaves no event out", remedy).into());
    }
    if reason.trim().is_empty() {
        return Err(Failure::new("--reason is empty", "say why nobody will miss this event").into());
    }
    let pool = app.store.pool();
    if projections::skip(pool, name, position, reason, &operator()).await? {
        return Ok(output::line(&format!("`{name}` passes over position {position} and goes on"))?);
    }
    let stopped = projections::stopped(pool).await?;
    let remedy = match stopped.iter().find(|one| one.name == name) {
        Some(one) => format!("it is stopped at position {}: {}", one.position, one.error),
        None => {
            "only the event that a projection is stopped at can be skipped: see `docuvault projections list`"
                .into()
        }
    };
    Err(Failure::new(format!("`{name}` is not stopped at position {position}"), remedy).into())
}

/// Who is at the keyboard, as far as this machine knows.
fn operator() -> String {
    let user = User::from_uid(Uid::current()).ok().flatten();
    user.map_or_else(|| "operator".into(), |user| format!("operator {}", user.name))
}
