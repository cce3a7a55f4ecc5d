//! Is the log sound, and do the read models follow from it? First, whether it is still guarded; then three passes: the log by position, against its hashes and
//! the global invariants; every stream, folded; every projection, against a fresh fold.
//!
//! Memory is bounded by the documents that live (about 50 bytes each) and the people, not by the log.

mod guards;
mod ledger;
mod log;
mod read_models;
mod report;
mod streams;
#[cfg(test)]
mod tests;

pub use report::{Finding, Report};

use crate::Source;
use crate::progress::Progress;

/// Checks the log up to its present head. Fails only when it could not check.
pub async fn verify(source: &Source, progress: Progress<'_>) -> anyhow::Result<Report> {
    let head = sqlx::query_scalar!(r#"SELECT coalesce(max(position), 0) AS "head!" FROM events"#)
        .fetch_one(&source.pool)
        .await?;
    let mut report = Report::new(head);
    guards::check(&source.pool, &mut report).await?;
    read_models::check_checkpoints(&source.pool, &mut report).await?;
    let ledger = log::check(&source.pool, head, &mut report, progress).await?;
    if report.log_is_intact() {
        streams::check(&source.pool, head, &ledger, &mut report, progress).await?;
    } else {
        report.not_checked("streams not folded: the log itself is damaged");
    }
    match &source.store {
        _ if !report.log_is_intact() => {
            report.not_checked("projections not compared: the log itself is damaged");
        }
        None => report.not_checked("projections not compared: no master key (set DOCUVAULT_MASTER_KEY_FILE)"),
        Some(store) => read_models::compare(store, &mut report, progress).await?,
    }
    report.not_checked(
        "a tail that was cut off the log shows only in checkpoints that had passed it, \
         and a log replaced as a whole not at all: that takes signed checkpoints kept elsewhere",
    );
    Ok(report)
}
