//! The HTTP API. [`router`] is its contents page: every route is one line there, documented where it is handled.
//!
//! To add a route: a file named by its verb in the folder of its resource, with a `#[utoipa::path]` that names the
//! roles it is for in `security` (none: it is public), and a line below.

pub mod done;
pub mod extract;
mod health;
mod layers;
mod openapi;
pub mod page;
mod server;

use std::future::ready;
use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use server::serve;

use crate::app::App;
use crate::error::ApiError;

/// Every route below `/api/v1`.
fn api() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
}

/// The whole server.
pub fn router(app: Arc<App>) -> anyhow::Result<Router> {
    let (routes, document) = OpenApiRouter::with_openapi(openapi::document())
        .routes(routes!(health::live))
        .routes(routes!(health::ready))
        .nest("/api/v1", api())
        .split_for_parts();
    let document = Bytes::from(document.to_json()?);
    let routes = routes
        .route(
            "/api/openapi.json",
            get(move || ready(([(CONTENT_TYPE, "application/json")], document.clone()))),
        )
        .fallback(async || ApiError::NotFound)
        .with_state(app.clone());
    Ok(layers::wrap(routes, &app))
}
