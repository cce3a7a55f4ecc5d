use std::sync::Arc;

use aggregates::document::{Transfer, UploadRequest};
use aggregates::{Document, DocumentId, UploadId};
use axum::Json;
use axum::extract::State;
use event_store::{Context, ExecuteError, Executed};
use futures::FutureExt;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::announcement::Announcement;
use super::upload::Upload;
use crate::app::App;
use crate::documents;
use crate::error::ApiError;
use crate::http::done::Done;
use crate::http::extract::{Body, IdempotencyKey, Member, NoParams, once};

/// A document that waits for its bytes.
#[derive(Debug, Serialize, ToSchema)]
pub struct Requested {
    #[schema(value_type = uuid::Uuid)]
    document_id: DocumentId,
    upload: Upload,
}

/// What a repeat is answered with.
#[derive(Clone, Copy, Deserialize)]
struct Ids {
    document_id: DocumentId,
    upload_id: UploadId,
}

/// Announces a document and reserves its bytes. Then the client stores them, and confirms.
#[utoipa::path(post, path = "/documents", tag = "documents", security(("access_token" = ["user", "admin"]), ("api_token" = ["write"])),
    params(IdempotencyKey), request_body = Announcement,
    responses((status = 201, body = Requested)))]
pub async fn request_upload(
    State(app): State<Arc<App>>,
    member: Member,
    _: NoParams,
    key: IdempotencyKey,
    body: Body<Announcement>,
) -> Result<Done<Json<Requested>>, ApiError> {
    let document_id = DocumentId(app.clock().new_id());
    let planned = body.value.check()?.plan(&app, member.user_id, document_id).await?;
    let ids = Ids { document_id, upload_id: planned.upload_id };
    let key = key.of(&member, &body.raw, &app);
    let requested = once(&app, key, |idempotency| {
        let context = Context { idempotency, ..member.context(app.clock()) };
        execute(&app, context, ids, planned.clone())
    });
    let requested = requested.await;
    let request = match &requested {
        Ok(done) if done.value.upload_id == planned.upload_id => planned,
        // It may have happened all the same: then its upload can be resumed.
        Err(ApiError::Unavailable(_)) => planned,
        // Refused, or a repeat: the first request's upload is the one that counts.
        other => {
            abandon(&app, &planned).await;
            match other {
                Ok(repeated) => load(&app, repeated.value.document_id).await?,
                Err(_) => planned,
            }
        }
    };
    let Executed { value: Ids { document_id, .. }, position } = requested?;
    let upload = Upload::of(&request, &app.blobs, app.clock().now(), Vec::new()).await?;
    Ok(Done::created(position, Json(Requested { document_id, upload })))
}

async fn execute(
    app: &App,
    context: Context,
    ids: Ids,
    planned: UploadRequest,
) -> Result<Executed<Ids>, ExecuteError<ApiError>> {
    app.store
        .execute(context, move |unit| {
            let request = Box::new(planned.clone());
            async move {
                unit.answer(json!({ "document_id": ids.document_id, "upload_id": ids.upload_id }));
                documents::request_upload(unit, ids.document_id, request).await.map(|()| ids)
            }
            .boxed()
        })
        .await
}

async fn load(app: &App, id: DocumentId) -> Result<UploadRequest, ApiError> {
    let (document, _) = app.store.load::<Document>(&id.to_string()).await?;
    document.request().cloned().ok_or(ApiError::NotFound)
}

/// Best effort: what is left behind, the sweeper finds.
async fn abandon(app: &App, planned: &UploadRequest) {
    if let Transfer::Multipart { multipart_id, .. } = &planned.transfer
        && let Err(error) = app.blobs.abort_multipart(&planned.object_key, multipart_id).await
    {
        tracing::warn!(%error, "a multipart upload that nobody will use was left to the sweeper");
    }
}
