use std::io::{Write, stderr};
use std::process::ExitCode;
use std::sync::Arc;

use projections::{CannotFold, Comparison, Projection};
use serde_json::json;

use crate::app::App;
use crate::cli::output::{self, Format};

/// Compares `projection` with a fresh fold. 0: they are equal; 1: they differ.
pub(super) async fn verify(
    app: &App,
    projection: &Arc<dyn Projection>,
    format: Format,
) -> anyhow::Result<ExitCode> {
    let name = projection.name();
    let mut tenths = 0;
    let mut folded = |done: i64, of: i64| {
        let now = (done * 10).checked_div(of).unwrap_or(10);
        if now > tenths {
            tenths = now;
            // A closed stderr is no reason to stop.
            drop(writeln!(stderr(), "{name}: {} %", now * 10));
        }
    };
    let compared = match projections::compare(&app.store, projection, &mut folded).await {
        Err(error) if error.is::<CannotFold>() => {
            let problem = format!("{error:#}");
            if format == Format::Table {
                output::line(&problem)?;
            } else {
                output::value(format, &json!({ "name": name, "equal": false, "error": problem }))?;
            }
            return Ok(ExitCode::from(1));
        }
        compared => compared?,
    };
    match format {
        Format::Table => tell(&compared)?,
        machine => output::value(machine, &compared)?,
    }
    Ok(ExitCode::from(u8::from(!compared.equal)))
}

fn tell(compared: &Comparison) -> std::io::Result<()> {
    let Comparison { name, position, rows, first_difference, skipped, .. } = compared;
    let verdict = match first_difference {
        None => "equal to a fresh fold".to_owned(),
        Some(key) => format!(
            "NOT equal to a fresh fold, first at {key}: `docuvault projections rebuild {name}` mends it"
        ),
    };
    output::line(&format!("`{name}`, {rows} rows at position {position}: {verdict}"))?;
    skipped.iter().try_for_each(|skip| {
        output::line(&format!(
            "    neither holds position {}, which {} skipped: {}",
            skip.position, skip.skipped_by, skip.reason
        ))
    })
}
