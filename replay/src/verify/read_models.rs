//! The third pass: each projection against a fresh fold of the log.

use event_store::{EventStore, StoreError};
use projections::CannotFold;
use sqlx::PgPool;

use super::Report;
use crate::progress::Progress;

/// A checkpoint beyond the end of the log has seen events that are no longer there.
pub(super) async fn check_checkpoints(pool: &PgPool, report: &mut Report) -> anyhow::Result<()> {
    let rows = sqlx::query!(
        r#"SELECT name, checkpoints.position, error, head AS "head!"
           FROM checkpoints, (SELECT coalesce(max(position), 0) AS head FROM events) log ORDER BY name, generation"#
    )
    .fetch_all(pool)
    .await?;
    for row in rows {
        if row.position > row.head {
            let cut = format!("missing: `{}` had come to position {} of the log", row.name, row.position);
            report.found(Some(row.head + 1), cut);
        }
        if let Some(error) = row.error {
            report
                .not_checked(&format!("`{}` is stopped behind position {}: {error}", row.name, row.position));
        }
    }
    Ok(())
}

/// Compares every projection.
pub(super) async fn compare(
    store: &EventStore,
    report: &mut Report,
    progress: Progress<'_>,
) -> anyhow::Result<()> {
    for projection in projections::all() {
        let name = projection.name();
        let mut folded = |done: i64, of: i64| progress(name, done.unsigned_abs(), of.unsigned_abs());
        let comparison = match projections::compare(store, &projection, &mut folded).await {
            Ok(comparison) => comparison,
            Err(error) => {
                cannot_compare(error, report)?;
                continue;
            }
        };
        if let Some(key) = &comparison.first_difference {
            let position = comparison.position;
            let problem = format!(
                "projection `{name}` differs from a fresh fold at position {position}, first at {key}"
            );
            report.found(None, problem);
        }
        for skip in &comparison.skipped {
            report.not_checked(&format!(
                "`{name}` passes over position {}, as {} had it at {}: {}",
                skip.position, skip.skipped_by, skip.skipped_at, skip.reason
            ));
        }
        report.projections.push(comparison);
    }
    Ok(())
}

/// An event that does not fold is a finding; anything else means that nothing could be compared.
fn cannot_compare(error: anyhow::Error, report: &mut Report) -> anyhow::Result<()> {
    let CannotFold { name, position, source } = error.downcast::<CannotFold>()?;
    match source.downcast_ref::<StoreError>() {
        // What is stored does not open: the log itself is bad there.
        Some(StoreError::Open { source, .. }) => report.found(Some(position), source.to_string()),
        Some(StoreError::Database(_)) => return Err(source),
        _ => report.found(None, format!("`{name}` cannot be folded at position {position}: {source:#}")),
    }
    Ok(())
}
