use anyhow::Context;
use event_store::ExecuteError;

use crate::app::App;
use crate::auth::credentials::Credentials;
use crate::cli::output;
use crate::error::ApiError;
use crate::people::by_operator;
use crate::people::change_standing::{Standing, change_standing};

/// Deactivates the account with the address `email`.
pub(super) async fn deactivate(app: &App, email: &str) -> anyhow::Result<()> {
    let found = Credentials::of_email(app.store.pool(), &app.emails.hash(email)).await?;
    let person = found.with_context(|| format!("nobody has an account with the address {email}"))?.user_id;
    let standing = Standing { is_active: Some(false), ..Standing::default() };
    let changed = change_standing(app, by_operator(person, app.clock()), standing).await;
    let changed = changed.map_err(|error| match error {
        ExecuteError::Refused(refusal) => refusal,
        error => ApiError::from(error),
    })?;
    let already = if changed.position.is_none() { " already" } else { "" };
    Ok(output::line(&format!("{email} is deactivated{already}"))?)
}
