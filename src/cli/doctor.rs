//! `docuvault doctor`.

use std::process::ExitCode;

use tokio_util::sync::CancellationToken;

use super::output;
use crate::app::App;
use crate::config::{Config, DatabaseUrl, Environment};
use crate::doctor;

/// 0: everything is as it should be; 1: something is not.
pub(super) async fn check(app: &App) -> anyhow::Result<ExitCode> {
    let findings = doctor::check(app).await?;
    findings.iter().try_for_each(|finding| output::line(&finding.to_string()))?;
    Ok(ExitCode::from(u8::from(findings.iter().any(|finding| finding.remedy.is_some()))))
}

/// Works as the role that may begin a lineage.
pub(super) async fn after_restore(environment: &Environment) -> anyhow::Result<()> {
    let mut config = Config::from_env(environment)?;
    config.database = DatabaseUrl::migrations(environment)?;
    let app = App::build(config, CancellationToken::new()).await?;
    let restored = doctor::after_restore(&app.store, app.config.nats.as_ref()).await?;
    output::line(&match restored.position {
        Some(position) => format!("position {position} records the restore; lineage {}", restored.lineage),
        None => format!("the log records the restore already; lineage {}", restored.lineage),
    })?;
    Ok(output::line(if restored.purged {
        "NATS is purged; the relay fills it again"
    } else {
        "NATS is not reached; the relay purges and fills it when it is back"
    })?)
}
