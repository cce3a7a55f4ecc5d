//! Read your writes, on any node: a query waits for the position that it names, a command's answer for the position
//! that it made. Nobody waits long, and who did not wait long enough is told what is stale.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderMap, HeaderValue};

use crate::app::App;
use crate::error::ApiError;
use crate::http::done::{FRESH_WITHIN, MinPosition, Position, Stale};

const MIN_POSITION: &str = "docuvault-min-position";

pub(super) async fn wait(
    State(app): State<Arc<App>>,
    mut request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let mut stale = match min_position(request.headers())? {
        Some(position) => {
            request.extensions_mut().insert(MinPosition(position));
            app.freshness.wait(position, FRESH_WITHIN).await
        }
        None => Vec::new(),
    };
    let mut response = next.run(request).await;
    if let Some(Stale(mut names)) = response.extensions_mut().remove() {
        stale.append(&mut names);
    }
    if let Some(Position { position, stale: found }) = response.extensions_mut().remove() {
        stale = match found {
            Some(found) => found,
            None => app.freshness.wait(position, FRESH_WITHIN).await,
        };
        response.headers_mut().insert("docuvault-position", position.into());
    }
    if let Ok(names) = HeaderValue::from_str(&stale.join(", "))
        && !names.is_empty()
    {
        response.headers_mut().insert("docuvault-stale", names);
    }
    Ok(response)
}

/// For an answer that is itself read from a read model: waits, as the layer does, before it is read.
pub(in crate::http) async fn read_your_writes(app: &App, position: i64) {
    // Who is still behind is told by what is not found.
    drop(app.freshness.wait(position, FRESH_WITHIN).await);
}

fn min_position(headers: &HeaderMap) -> Result<Option<i64>, ApiError> {
    let Some(value) = headers.get(MIN_POSITION) else { return Ok(None) };
    let position = value.to_str().ok().and_then(|text| text.parse().ok()).filter(|position| *position >= 0);
    let error = || ApiError::field("Docuvault-Min-Position", "invalid", "A position is a whole number.");
    position.map(Some).ok_or_else(error)
}
