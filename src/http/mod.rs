//! The HTTP API. [`router`] is its contents page: every route is one line there, documented where it is handled.
//!
//! To add a route: a file named by its verb in the folder of its resource, with a `#[utoipa::path]` that names the
//! roles it is for in `security` (none: it is public), and a line below.

pub mod accounts;
pub mod admin;
mod api_docs;
pub mod dead_letters;
pub mod documents;
pub mod done;
pub mod extract;
mod forms;
mod health;
mod layers;
mod openapi;
pub mod page;
pub mod quotas;
mod refusals;
mod server;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::routing::get;
use axum::{Json, Router};
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use server::serve;

use crate::app::App;
use crate::error::ApiError;

use extract::NoParams;

/// Every route below `/api/v1`.
fn api() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(accounts::setup::needed, accounts::setup::set_up))
        .routes(routes!(accounts::register::register))
        .routes(routes!(accounts::verify_email::verify_email))
        .routes(routes!(accounts::resend_verification::resend_verification))
        .routes(routes!(accounts::login::login))
        .routes(routes!(accounts::login_totp::login_totp))
        .routes(routes!(accounts::login_backup_code::login_backup_code))
        .routes(routes!(accounts::refresh::refresh))
        .routes(routes!(accounts::logout::logout))
        .routes(routes!(accounts::forgot_password::forgot_password))
        .routes(routes!(accounts::reset_password::reset_password))
        .routes(routes!(accounts::sessions::list::list, accounts::sessions::end_others::end_others))
        .routes(routes!(accounts::sessions::end::end))
        .routes(routes!(accounts::totp::enroll::enroll))
        .routes(routes!(accounts::totp::activate::activate))
        .routes(routes!(accounts::totp::disable::disable))
        .routes(routes!(accounts::totp::replace_backup_codes::replace_backup_codes))
        .routes(routes!(accounts::change_password::change_password))
        .routes(routes!(accounts::me::me, accounts::change_profile::change_profile))
        .routes(routes!(accounts::tokens::create::create, accounts::tokens::list::list))
        .routes(routes!(accounts::tokens::revoke::revoke))
        .routes(routes!(accounts::change_email::change_email))
        .routes(routes!(accounts::confirm_email::confirm_email))
        .routes(routes!(documents::request_upload::request_upload, documents::list::list))
        .routes(routes!(documents::get::get, documents::rename::rename, documents::trash::trash))
        .routes(routes!(documents::confirm_upload::confirm_upload))
        .routes(routes!(documents::resume_upload::resume_upload, documents::cancel_upload::cancel_upload))
        .routes(routes!(documents::download::download))
        .routes(routes!(documents::restore::restore))
        .routes(routes!(documents::purge::purge))
        .routes(routes!(documents::history::history))
        .routes(routes!(quotas::get::get))
        .routes(routes!(admin::users::list::list, admin::users::create::create))
        .routes(routes!(admin::users::get::get, admin::users::change::change))
        .routes(routes!(admin::users::reset_password::reset_password))
        .routes(routes!(admin::users::disable_totp::disable_totp))
        .routes(routes!(admin::users::end_sessions::end_sessions))
        .routes(routes!(admin::users::limit_quota::quota, admin::users::limit_quota::limit_quota))
        .routes(routes!(dead_letters::list::list))
        .routes(routes!(dead_letters::retry::retry))
        .routes(routes!(admin::list_audit::list))
        .routes(routes!(admin::list_projections::list))
        .routes(routes!(admin::rebuild_projection::rebuild))
}

/// Liveness and readiness alone, for processes that answer no other requests.
pub fn health_routes(app: &Arc<App>) -> Router {
    let (routes, _) =
        OpenApiRouter::new().routes(routes!(health::live)).routes(routes!(health::ready)).split_for_parts();
    layers::wrap(routes.with_state(app.clone()), app)
}

/// Every route that is part of the contract, and the document that says so.
fn described() -> (Router<Arc<App>>, OpenApi) {
    let (routes, mut document) = OpenApiRouter::with_openapi(openapi::frame())
        .routes(routes!(health::live))
        .routes(routes!(health::ready))
        .nest("/api/v1", api())
        .split_for_parts();
    openapi::complete(&mut document);
    (routes, document)
}

/// The whole server.
pub fn router(app: &Arc<App>) -> Router {
    let (routes, document) = described();
    let document = Arc::new(document);
    let routes = routes
        .route("/api/openapi.json", get(async move |_: NoParams| Json(document)))
        .merge(api_docs::routes())
        .merge(forms::routes())
        .fallback(async || ApiError::NotFound)
        .with_state(app.clone());
    layers::wrap(routes, app)
}

/// The OpenAPI document, for tests that hold answers against it.
#[cfg(test)]
pub(crate) fn document() -> OpenApi {
    described().1
}
