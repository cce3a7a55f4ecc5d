use std::sync::Arc;
use std::time::Duration;

use aggregates::{AccessEvent, DocumentError, DocumentId};
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, TimeDelta, Utc};
use futures::FutureExt;
use http::header::{ACCEPT, LOCATION};
use http::{HeaderMap, Method, StatusCode};
use projections::document_listing::{self, Status};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::App;
use crate::blobs::{Disposition, Download};
use crate::error::ApiError;
use crate::http::extract::{Id, Member, Params};

const VALID: Duration = Duration::from_mins(1);

/// Which version, and how.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Wish {
    /// Default: the newest.
    version: Option<i32>,
    /// `attachment` (default), or `inline` for types that are harmless in a browser.
    #[serde(default)]
    #[param(inline)]
    disposition: Disposition,
}

/// Where the bytes are, for a minute.
#[derive(Debug, Serialize, ToSchema)]
pub struct Link {
    url: String,
    expires_at: DateTime<Utc>,
}

/// Leads to the bytes in the object store, where ranges work; `Accept: application/json` gets the URL instead.
#[utoipa::path(get, path = "/documents/{id}/content", tag = "documents",
    params(Id<DocumentId>, Wish), security(("access_token" = ["user", "admin"]), ("api_token" = ["read"])),
    responses((status = 302, headers(("Location" = String, description = "The presigned URL, good for a minute"))), (status = 200, body = Link), (status = 409)))]
pub async fn download(
    State(app): State<Arc<App>>,
    member: Member,
    Id(id): Id<DocumentId>,
    Params(wish): Params<Wish>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let row =
        document_listing::find(app.store.pool(), member.user_id, id).await?.ok_or(ApiError::NotFound)?;
    match row.status {
        Status::Active | Status::Trashed => {}
        Status::Pending | Status::Verifying => return Err(DocumentError::NotUploaded.into()),
        Status::Rejected => return Err(DocumentError::Rejected.into()),
    }
    if wish.version.is_some_and(|version| version != row.version) {
        return Err(ApiError::NotFound);
    }
    let download = Download {
        name: &row.name,
        content_type: &row.content_type,
        sniffed_type: row.sniffed_type.as_deref(),
        disposition: wish.disposition,
    };
    // A signature covers the method, and whoever asks for the head follows with it.
    let signed = match method {
        Method::HEAD => app.blobs.presign_head(&row.object_key, download, VALID).await?,
        _ => app.blobs.presign_get(&row.object_key, download, VALID).await?,
    };
    let expires_at = app.clock().now() + TimeDelta::from_std(VALID).map_err(anyhow::Error::from)?;
    record(&app, &member, id).await?;
    Ok(if wants_json(&headers) {
        Json(Link { url: signed.url, expires_at }).into_response()
    } else {
        (StatusCode::FOUND, [(LOCATION, signed.url)]).into_response()
    })
}

/// Before the URL is out, so that no download goes unrecorded.
async fn record(app: &App, member: &Member, document_id: DocumentId) -> Result<(), ApiError> {
    let user = member.user_id;
    let recorded = app.store.execute::<_, ApiError, _>(member.context(app.clock()), move |unit| {
        let recorded = unit.record(user, &AccessEvent::DocumentDownloaded { document_id });
        async move { Ok(recorded?) }.boxed()
    });
    recorded.await?;
    Ok(())
}

fn wants_json(headers: &HeaderMap) -> bool {
    let accept = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    accept.split([',', ';']).any(|range| range.trim().eq_ignore_ascii_case("application/json"))
}
