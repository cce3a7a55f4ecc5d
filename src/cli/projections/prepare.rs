use std::convert::Infallible;
use std::sync::Arc;

use projections::{Holder, Projection, Rebuild, Serving};

use super::progress;
use crate::app::App;
use crate::cli::output;
use crate::failure::Failure;

/// Builds the generations that this release needs and the running one does not have, and leaves the swap to the start
/// of this release.
pub(super) async fn prepare(app: &App) -> anyhow::Result<()> {
    let mut prepared = 0;
    for projection in projections::all() {
        let serving = Serving::of(app.store.pool(), projection.name()).await?;
        if serving.is_some_and(|serving| serving.version < projection.version()) {
            build(app, &projection).await?;
            prepared += 1;
        }
    }
    Ok(match prepared {
        0 => output::line("nothing to prepare: this release folds as the one that serves"),
        _ => output::line("prepared: the projector of this release swaps when it starts"),
    }?)
}

async fn build(app: &App, projection: &Arc<dyn Projection>) -> anyhow::Result<()> {
    let (pool, name) = (app.store.pool(), projection.name());
    let holder = Holder::new(app.clock(), false);
    Rebuild::begin(pool, projection.as_ref(), Some(holder)).await?;
    let driven = || {
        let remedy = "wait for it, or give it up with `docuvault projections cancel`";
        Failure::new(format!("`{name}` is being rebuilt already"), remedy)
    };
    let found = Rebuild::find(pool, name).await?.filter(|found| found.version == projection.version());
    let found = found.ok_or_else(driven)?;
    let mut drive = found.take_up(&app.store, projection.clone(), holder).await?.ok_or_else(driven)?;
    let built = tokio::select! {
        built = drive.build() => built,
        Err::<Infallible, _>(error) = progress::show(pool, name) => Err(error),
    };
    drive.release().await?;
    built
}
