//! Accounts and sessions.

mod change_password;
mod cookie;
mod login;
mod logout;
mod me;
mod refresh;
mod setup;
mod signed_in;
#[cfg(test)]
mod tests;
mod user;

use std::sync::Arc;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;

/// Below `/api/v1`.
pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(setup::needed, setup::set_up))
        .routes(routes!(login::login))
        .routes(routes!(refresh::refresh))
        .routes(routes!(logout::logout))
        .routes(routes!(change_password::change_password))
        .routes(routes!(me::me))
}
