//! Asks again who somebody is: before anything that would lock them out, were it somebody else at their browser (attack A22),
//! and for the second step of a login.

use std::net::IpAddr;

use aggregates::AccessEvent;
use event_store::{Context, ExecuteError};

use super::credentials::Credentials;
use super::failures::record_failure;
use super::second_factor::{Accepts, Proof, prove};
use super::secret::Secret;
use crate::app::App;
use crate::error::ApiError;

/// The credentials of the context's owner, who gives their password again. It counts as an attempt at the account's password,
/// as a login does.
pub async fn by_password(
    app: &App,
    context: Context,
    ip: Option<IpAddr>,
    password: Secret,
) -> Result<Credentials, ApiError> {
    let credentials = Credentials::of_user(app.store.pool(), context.owner_id).await?;
    let credentials = credentials.ok_or(ApiError::Unauthenticated)?;
    let attempt = app.attempts.at_password(&credentials.email_hash, ip).await?;
    match app.passwords.verify(password.0, Some(&credentials.password)).await {
        Ok(true) => {
            attempt.succeeded().await?;
            Ok(credentials)
        }
        Ok(false) => {
            attempt.failed().await?;
            record_failure(app, context, AccessEvent::ReauthenticationFailed {});
            Err(ApiError::Unauthenticated)
        }
        Err(error) => {
            attempt.withdraw().await?;
            Err(error.into())
        }
    }
}

/// Carries out `permitted` for the context's owner, who gives a code of their second factor. What it is given has to be used
/// up by the statement that does the rest: when that finds it used before, the code was a wrong one after all.
pub async fn by_code<T, F, C>(
    app: &App,
    context: Context,
    accepts: Accepts,
    code: Secret,
    permitted: F,
) -> Result<T, ExecuteError<ApiError>>
where
    F: FnOnce(Proof) -> C,
    C: Future<Output = Result<T, ExecuteError<ApiError>>>,
{
    let user = context.owner_id;
    let ip = context.metadata.ip.as_ref().and_then(|ip| ip.open()?.parse().ok());
    let attempt = app.attempts.at_code(user, ip).await.map_err(ExecuteError::Refused)?;
    let done = match prove(app, user, accepts, &code.0).await {
        Ok(Some(proof)) => permitted(proof).await,
        Ok(None) => Err(ExecuteError::Precondition),
        Err(error) => Err(ExecuteError::Refused(error)),
    };
    let settled = match &done {
        Ok(_) => attempt.succeeded().await,
        Err(ExecuteError::Precondition) => {
            record_failure(app, context, AccessEvent::CodeRejected {});
            attempt.failed().await
        }
        Err(_) => attempt.withdraw().await,
    };
    settled.map_err(ExecuteError::Refused)?;
    done.map_err(|error| match error {
        ExecuteError::Precondition => ExecuteError::Refused(ApiError::Unauthenticated),
        error => error,
    })
}
