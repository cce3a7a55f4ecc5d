//! The HTTP API. [`router`] is its contents page: every route is one line there, documented where it is handled.
//!
//! To add a route: a file named by its verb in the folder of its resource, with a `#[utoipa::path]` that names the
//! roles it is for in `security` (none: it is public), and a line below.

mod accounts;
pub mod done;
pub mod extract;
mod health;
mod layers;
mod openapi;
pub mod page;
mod server;
mod setup_form;

use std::future::ready;
use std::sync::Arc;

use axum::routing::get;
use axum::{Json, Router};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use layers::read_your_writes;
pub use server::serve;

use crate::app::App;
use crate::error::ApiError;

/// Every route below `/api/v1`.
fn api() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().merge(accounts::routes())
}

/// The whole server.
pub fn router(app: Arc<App>) -> Router {
    let (routes, document) = OpenApiRouter::with_openapi(openapi::document())
        .routes(routes!(health::live))
        .routes(routes!(health::ready))
        .nest("/api/v1", api())
        .split_for_parts();
    let document = Arc::new(document);
    let routes = routes
        .route("/api/openapi.json", get(move || ready(Json(document.clone()))))
        .merge(setup_form::routes())
        .fallback(async || ApiError::NotFound)
        .with_state(app.clone());
    layers::wrap(routes, &app)
}
