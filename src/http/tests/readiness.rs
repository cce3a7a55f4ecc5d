use http::StatusCode;
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use super::{contract, request};
use crate::fixture::{NatsServer, Vault, eventually};
use crate::http as api;

/// F05: NATS is away, which hurts no request: the node stays in service, and says what is behind.
#[sqlx::test(migrations = "./migrations")]
async fn nats_away_is_degraded_and_still_in_service(pool: PgPool) {
    let (vault, mut nats) = (Vault::open(&pool).await, NatsServer::start().await);
    let stop = CancellationToken::new();
    let app = vault.process(|config| config.nats = Some(nats.config()), &stop).await;
    let router = api::router(&app);
    let becomes = async |body: Value| {
        eventually(&body.to_string(), async || {
            let ready = request("GET", "/readyz").body(axum::body::Body::empty()).unwrap();
            let answer = contract::send(&router, ready).await;
            assert_eq!(answer.status, StatusCode::OK);
            answer.body == body
        })
        .await;
    };
    becomes(json!({ "status": "ready" })).await;
    nats.die().await;
    becomes(json!({ "status": "degraded", "degraded": ["nats"] })).await;
    nats.come_back().await;
    becomes(json!({ "status": "ready" })).await;
    stop.cancel();
}
