use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{ConnectInfo, FromRequestParts};
use http::header::USER_AGENT;
use http::request::Parts;
use uuid::Uuid;

use super::forwarded;
use crate::app::App;

/// Characters of a user agent that are kept.
const USER_AGENT_LENGTH: usize = 512;

/// Names one request, in answers and in the log. Put into every request by the first layer.
#[derive(Clone, Debug)]
pub struct RequestId {
    /// The client's own `X-Request-Id` if it was valid.
    pub text: String,
    /// What events carry: the same, if it is a UUID.
    pub correlation_id: Uuid,
}

impl<S: Sync> FromRequestParts<S> for RequestId {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let id = parts.extensions.get::<Self>().cloned();
        Ok(id.unwrap_or_else(|| Self { text: Uuid::nil().to_string(), correlation_id: Uuid::nil() }))
    }
}

/// Who is on the other end of the connection, signed in or not.
#[derive(Clone, Debug)]
pub struct Client {
    pub correlation_id: Uuid,
    /// The peer of the connection, or whom a trusted proxy speaks for.
    pub ip: Option<IpAddr>,
    pub user_agent: Option<String>,
}

impl FromRequestParts<Arc<App>> for Client {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Infallible> {
        let id = RequestId::from_request_parts(parts, app).await?;
        let trusted = &app.config.http.trusted_proxies;
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let user_agent = parts.headers.get(USER_AGENT).and_then(|value| value.to_str().ok());
        Ok(Self {
            correlation_id: id.correlation_id,
            ip: peer.map(|ConnectInfo(peer)| forwarded::origin(peer.ip(), &parts.headers, trusted)),
            user_agent: user_agent.map(|text| text.chars().take(USER_AGENT_LENGTH).collect()),
        })
    }
}
