//! Secrets that were wrong, told to the access stream of whoever they are tried at.

use std::future::ready;

use aggregates::AccessEvent;
use event_store::Context;
use futures::FutureExt;

use crate::app::App;
use crate::error::ApiError;

/// Records `failure` of the context's owner beside the answer, which would otherwise come later for those who have an account
/// (attack A02).
pub(crate) fn record_failure(app: &App, context: Context, failure: AccessEvent) {
    let (store, user) = (app.store.clone(), context.owner_id);
    app.afterwards.spawn(async move {
        let recorded = store
            .execute(context, move |unit| ready(unit.record(user, &failure).map_err(ApiError::from)).boxed());
        if let Err(error) = recorded.await {
            tracing::warn!(%error, "a failure to sign in was not recorded");
        }
    });
}
