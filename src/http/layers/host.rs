//! Answers for the public URL's host only, so that no forged `Host` gets into anything and DNS rebinding finds nobody
//! at home (attack A18).

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::header::HOST;
use http::uri::Authority;
use url::Url;

use crate::error::ApiError;

/// Probes come from inside and do not know the public name.
const ANY_HOST: [&str; 2] = ["/healthz", "/readyz"];
const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

/// The hosts that this server answers for, and their port.
#[derive(Clone)]
pub(super) struct Known {
    names: Vec<String>,
    port: Option<u16>,
    default_port: Option<u16>,
}

impl Known {
    /// On a loopback host, its other names are as good.
    pub(super) fn of(public_url: &Url) -> Self {
        let name = public_url.host_str().unwrap_or_default().to_owned();
        let names =
            if LOOPBACK.contains(&name.as_str()) { LOOPBACK.map(str::to_owned).to_vec() } else { vec![name] };
        let default_port = if public_url.scheme() == "https" { Some(443) } else { Some(80) };
        Self { names, port: public_url.port_or_known_default(), default_port }
    }

    fn contains(&self, host: &str) -> bool {
        host.parse::<Authority>().is_ok_and(|host| {
            self.names.iter().any(|name| name.eq_ignore_ascii_case(host.host()))
                && host.port_u16().or(self.default_port) == self.port
                && !host.as_str().contains('@')
        })
    }
}

pub(super) async fn check(
    State(known): State<Known>,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    if ANY_HOST.contains(&request.uri().path()) {
        return Ok(next.run(request).await);
    }
    let mut named = request.headers().get_all(HOST).iter();
    let (Some(host), None) = (named.next(), named.next()) else {
        return Err(ApiError::BadRequest("A request names its host once.".into()));
    };
    // A target in absolute form outranks the header (RFC 9112 §3.2.2).
    let target = request.uri().authority().is_none_or(|target| known.contains(target.as_str()));
    if !target || !host.to_str().is_ok_and(|host| known.contains(host)) {
        return Err(ApiError::Misdirected);
    }
    Ok(next.run(request).await)
}
