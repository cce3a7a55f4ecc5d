use std::time::Duration;

use crate::app::App;
use crate::error::ApiError;

/// The answer has left by then: what is done afterwards does not slow it down.
const HEAD_START: Duration = Duration::from_millis(20);

/// Has `work` done after the answer, so that neither the answer nor its time tells whether there was any (attacks A01
/// and A02). A failure is logged: whoever waits for a mail in vain asks again.
pub(super) fn afterwards(
    app: &App,
    what: &'static str,
    work: impl Future<Output = Result<(), ApiError>> + Send + 'static,
) {
    app.afterwards.spawn(async move {
        tokio::time::sleep(HEAD_START).await;
        match work.await {
            Ok(()) => {}
            Err(ApiError::Internal(cause)) => tracing::error!(what, cause = format!("{cause:#}"), "not done"),
            Err(ApiError::Unavailable(cause)) => tracing::warn!(what, cause, "not done"),
            // An idempotency key that is in use, or was used with another body.
            Err(refusal) => tracing::debug!(what, %refusal, "not done"),
        }
    });
}
