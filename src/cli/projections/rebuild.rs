use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use projections::{Drive, Holder, Projection, Rebuild, Serving, Status};
use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, sleep};

use super::progress;
use crate::app::App;
use crate::cli::output::{self, Format};
use crate::failure::Failure;

/// Between two looks at a rebuild that somebody else may be driving.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// What a rebuild came to.
#[derive(Serialize)]
struct Rebuilt {
    name: &'static str,
    generation: i64,
    position: i64,
    seconds: f64,
}

/// Builds `projection` anew and returns after the swap, or at once when it is left to a projector.
pub(super) async fn rebuild(
    app: &App,
    projection: &Arc<dyn Projection>,
    detach: bool,
    format: Format,
) -> anyhow::Result<()> {
    let (pool, name) = (app.store.pool(), projection.name());
    let holder = Holder::new(app.clock(), false);
    let start = Instant::now();
    let before = Serving::of(pool, name).await?;
    let begun = Rebuild::begin(pool, projection.as_ref(), (!detach).then_some(holder)).await?;
    if detach {
        if !begun {
            return Err(under_way(name).into());
        }
        return match format {
            Format::Table => Ok(output::line(&format!("a projector rebuilds `{name}` now"))?),
            machine => output::value(machine, &Status::of(pool, name).await?),
        };
    }
    let (mut drive, mut interrupted) = (None, false);
    let outcome = {
        let work = build_and_swap(app, projection, holder, before, &mut drive);
        let shown = progress::show(pool, name);
        let (mut terminate, mut interrupt) =
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        tokio::select! {
            outcome = work => Some(outcome),
            Err::<Infallible, _>(error) = shown => Some(Err(error)),
            _ = interrupt.recv() => {
                interrupted = true;
                None
            }
            _ = terminate.recv() => None,
        }
    };
    // Another process's rebuild is not ours to give up.
    if interrupted && (begun || drive.is_some()) {
        Rebuild::cancel(pool, name).await?;
        let remedy = "nothing: what it had filled is dropped, and the old rows serve";
        return Err(Failure::new(format!("the rebuild of `{name}` was cancelled"), remedy).into());
    }
    if let Some(Ok(generation)) = outcome {
        let position = Status::of(pool, name).await?.map_or(0, |status| status.position);
        let rebuilt = Rebuilt { name, generation, position, seconds: start.elapsed().as_secs_f64() };
        return report(&rebuilt, format);
    }
    if let Some(drive) = drive {
        drive.release().await?;
    }
    outcome.unwrap_or_else(|| {
        let problem = format!("the rebuild of `{name}` was stopped before its end");
        Err(Failure::new(problem, "run it again to go on; a projector that runs does it by itself").into())
    })?;
    Ok(())
}

/// Answers the generation that serves afterwards.
async fn build_and_swap(
    app: &App,
    projection: &Arc<dyn Projection>,
    holder: Holder,
    before: Option<Serving>,
    drive: &mut Option<Drive>,
) -> anyhow::Result<i64> {
    let name = projection.name();
    if let Some(taken_up) = take_up(app, projection, holder).await? {
        let drive = drive.insert(taken_up);
        drive.build().await?;
        drive.swap().await?;
    }
    match Serving::of(app.store.pool(), name).await? {
        Some(serving) if before != Some(serving) => Ok(serving.generation),
        _ => {
            let problem = format!("the rebuild of `{name}` was cancelled by somebody else");
            Err(Failure::new(problem, "run it again").into())
        }
    }
}

/// Takes up the rebuild that is under way. Whoever drives it has five seconds to show that they live: then it is refused.
/// `None`: a projector that had found it abandoned has finished it.
async fn take_up(
    app: &App,
    projection: &Arc<dyn Projection>,
    holder: Holder,
) -> anyhow::Result<Option<Drive>> {
    let (pool, name) = (app.store.pool(), projection.name());
    let mut seen = None;
    while let Some(rebuild) = Rebuild::find(pool, name).await? {
        if rebuild.version != projection.version() {
            let problem = format!(
                "`{name}` is being rebuilt for version {}, which this release is not",
                rebuild.version
            );
            let remedy = "use the release that began it, or give it up with `docuvault projections cancel`";
            return Err(Failure::new(problem, remedy).into());
        }
        if let Some(drive) = rebuild.take_up(&app.store, projection.clone(), holder).await? {
            return Ok(Some(drive));
        }
        let lease = *seen.get_or_insert(rebuild.leased_until);
        if lease != rebuild.leased_until && !rebuild.orphaned {
            return Err(under_way(name).into());
        }
        sleep(LOOK_EVERY).await;
    }
    Ok(None)
}

fn under_way(name: &str) -> Failure {
    Failure::new(
        format!("`{name}` is being rebuilt already"),
        format!(
            "follow it with `docuvault projections list`, or give it up with `docuvault projections cancel {name}`"
        ),
    )
}

fn report(rebuilt: &Rebuilt, format: Format) -> anyhow::Result<()> {
    let Rebuilt { name, generation, position, seconds } = rebuilt;
    match format {
        Format::Json | Format::Ndjson => output::value(format, rebuilt),
        Format::Table => Ok(output::line(&format!(
            "`{name}` is rebuilt: generation {generation} serves, up to position {position}, after {seconds:.1} s"
        ))?),
    }
}
