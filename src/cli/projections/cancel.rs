use projections::Rebuild;

use crate::app::App;
use crate::cli::output;
use crate::failure::Failure;

/// Gives the rebuild of `name` up.
pub(super) async fn cancel(app: &App, name: &str) -> anyhow::Result<()> {
    if Rebuild::cancel(app.store.pool(), name).await? {
        return Ok(output::line(&format!(
            "the rebuild of `{name}` is cancelled, and what it had filled is dropped"
        ))?);
    }
    Err(Failure::new(format!("`{name}` is not being rebuilt"), "nothing is to be done").into())
}
