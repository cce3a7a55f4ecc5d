//! The HTTP API. [`router`] is its contents page: every route is one line there, documented where it is handled.
//!
//! To add a route: a file named by its verb in the folder of its resource, with a `#[utoipa::path]` that names the
//! roles it is for in `security` (none: it is public), and a line below.

pub mod documents;
pub mod done;
pub mod extract;
mod health;
mod layers;
mod openapi;
pub mod page;
pub mod quotas;
mod server;

use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use http::header::CONTENT_TYPE;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use server::serve;

use crate::app::App;
use crate::error::ApiError;

/// Every route below `/api/v1`.
fn api() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(documents::request_upload::request_upload, documents::list::list))
        .routes(routes!(documents::get::get, documents::rename::rename, documents::trash::trash))
        .routes(routes!(documents::confirm_upload::confirm_upload))
        .routes(routes!(documents::resume_upload::resume_upload, documents::cancel_upload::cancel_upload))
        .routes(routes!(documents::download::download))
        .routes(routes!(documents::restore::restore))
        .routes(routes!(documents::purge::purge))
        .routes(routes!(documents::history::history))
        .routes(routes!(quotas::get::get))
}

/// The whole server.
pub fn router(app: Arc<App>) -> Router {
    let (routes, document) = OpenApiRouter::with_openapi(openapi::document())
        .routes(routes!(health::live))
        .routes(routes!(health::ready))
        .nest("/api/v1", api())
        .split_for_parts();
    let routes = routes
        .route(
            "/api/openapi.json",
            get(([(CONTENT_TYPE, "application/json")], document.to_json().unwrap_or_default())),
        )
        .fallback(async || ApiError::NotFound)
        .with_state(app.clone());
    layers::wrap(routes, &app)
}
