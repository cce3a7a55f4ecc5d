//! Is the process alive, and is what it needs there? Answered for any `Host`, and for nobody in particular.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::timeout;
use utoipa::ToSchema;

use crate::app::App;
use crate::blobs::BlobError;
use crate::error::ApiError;
use crate::http::extract::NoParams;

/// How it stands.
#[derive(Serialize, ToSchema)]
pub(super) struct Health {
    /// `ok`, `ready`, or `degraded`: requests are answered, but something behind them is behind.
    status: &'static str,
    /// What is not as it should be: `nats`, or the name of a subscription of the log that is stopped.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    degraded: Vec<String>,
}

/// How long nats-server may take to accept a connection.
const PATIENCE: Duration = Duration::from_millis(500);

/// The process answers.
#[utoipa::path(get, path = "/healthz", tag = "operations", responses((status = 200, body = Health)))]
pub(super) async fn live(_: NoParams) -> Json<Health> {
    Json(Health { status: "ok", degraded: Vec::new() })
}

/// Everything that requests need answers. What only delays effects of requests (NATS, a stopped subscription) makes
/// `degraded` of it, still with 200: taking nodes out of service would not help.
#[utoipa::path(get, path = "/readyz", tag = "operations",
    responses((status = 200, body = Health), (status = 503, body = crate::error::Problem)))]
pub(super) async fn ready(State(app): State<Arc<App>>, _: NoParams) -> Result<Json<Health>, ApiError> {
    let failed = |part: &str, error: String| ApiError::Unavailable(format!("{part}: {error}"));
    let stopped = projections::stopped(app.store.pool()).await;
    let stopped = stopped.map_err(|error| failed("database", error.to_string()))?;
    let mut degraded: Vec<_> = stopped.into_iter().map(|subscription| subscription.name).collect();
    // No such object: the store has looked.
    match app.blobs.head("readyz").await {
        Ok(_) | Err(BlobError::NotFound) => {}
        Err(error) => return Err(failed("object store", error.to_string())),
    }
    if !nats_answers(&app).await {
        degraded.insert(0, "nats".into());
    }
    let status = if degraded.is_empty() { "ready" } else { "degraded" };
    Ok(Json(Health { status, degraded }))
}

/// True also where no role needs it. A server greets with what it is: that somebody takes connections for it, as a proxy
/// or a stopped process does, says nothing.
async fn nats_answers(app: &App) -> bool {
    let Some(nats) = &app.config.nats else { return true };
    let greeting = async {
        let mut greeting = [0; 4];
        TcpStream::connect(nats.address()).await?.read_exact(&mut greeting).await?;
        Ok::<_, std::io::Error>(greeting)
    };
    timeout(PATIENCE, greeting)
        .await
        .is_ok_and(|greeting| greeting.is_ok_and(|greeting| greeting == *b"INFO"))
}
