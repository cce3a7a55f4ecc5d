//! Documents. A command decides on the log's own state of the document; a query reads the listing, by the caller's id,
//! so that somebody else's document is as good as none.

mod announcement;
mod cancel_upload;
mod change;
mod confirm_upload;
mod document;
mod download;
mod get;
mod history;
mod list;
mod purge;
mod rename;
mod request_upload;
mod restore;
mod resume_upload;
#[cfg(test)]
mod tests;
mod trash;
mod upload;

use std::sync::Arc;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;

/// Below `/api/v1`.
pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(request_upload::request_upload, list::list))
        .routes(routes!(get::get, rename::rename, trash::trash))
        .routes(routes!(confirm_upload::confirm_upload))
        .routes(routes!(resume_upload::resume_upload, cancel_upload::cancel_upload))
        .routes(routes!(download::download))
        .routes(routes!(restore::restore))
        .routes(routes!(purge::purge))
        .routes(routes!(history::history))
}
