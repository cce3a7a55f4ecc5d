use std::time::Duration;

use crate::app::App;
use crate::error::ApiError;

/// How long the answer waits, whatever there is to do: much longer than that takes.
const PAUSE: Duration = Duration::from_millis(100);

/// Has `work` done beside an answer that comes after a fixed time, so that neither the answer nor its time tells whether
/// there was any (attacks A01 and A02); most often it is done by then. A failure is logged: whoever waits for a mail in vain
/// asks again.
pub(super) async fn beside(
    app: &App,
    what: &'static str,
    work: impl Future<Output = Result<(), ApiError>> + Send + 'static,
) {
    app.afterwards.spawn(async move {
        match work.await {
            Ok(()) => {}
            Err(ApiError::Internal(cause)) => tracing::error!(what, cause = format!("{cause:#}"), "not done"),
            Err(ApiError::Unavailable(cause)) => tracing::warn!(what, cause, "not done"),
            // An idempotency key that is in use, or was used with another body.
            Err(refusal) => tracing::debug!(what, %refusal, "not done"),
        }
    });
    tokio::time::sleep(PAUSE).await;
}
