//! What a password hash should cost rises with the years. The one moment when it can follow is a login, where the password
//! is at hand; whoever signs in doesn't wait for it.

use std::sync::Arc;

use aggregates::UserId;

use super::credentials::Credentials;
use super::password::Password;
use super::secret::Secret;
use crate::app::App;

/// Hashes a password that was right anew, if its hash is cheaper than one made now.
pub fn rehash(app: &Arc<App>, credentials: &Credentials, right: Secret) {
    if !app.passwords.is_outdated(&credentials.password) {
        return;
    }
    let (app, user_id, old) = (app.clone(), credentials.user_id, credentials.password.to_string());
    app.clone().afterwards.spawn(async move {
        if let Err(error) = replace(&app, user_id, old, right).await {
            let error = format!("{error:#}");
            tracing::warn!(error, "a password was not hashed anew; its next login will try again");
        }
    });
}

/// Unless the password was changed meanwhile.
async fn replace(app: &App, user_id: UserId, old: String, right: Secret) -> anyhow::Result<()> {
    let new = app.passwords.hash(Password::parse(right.0)?).await?;
    sqlx::query!(
        "UPDATE credentials SET password_hash = $3 WHERE user_id = $1 AND password_hash = $2",
        user_id.0,
        old,
        new.to_string()
    )
    .execute(app.store.pool())
    .await?;
    Ok(())
}
