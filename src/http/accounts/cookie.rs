//! The cookie that carries a refresh token, for two routes only. Browsers send it by themselves, so these routes answer
//! only to pages of this very origin, or to clients that no page can pass for (attack W02).

use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::header::{COOKIE, HOST, ORIGIN};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::app::App;
use crate::auth::refresh_token::RefreshToken;
use crate::error::ApiError;

const FORBIDDEN: ApiError = ApiError::Forbidden(
    "This route answers to pages of its own origin; other clients send the header X-Docuvault-Client.",
);

/// The refresh token of a request that may use it; `None` without one that this installation made.
pub struct RefreshCookie(pub Option<RefreshToken>);

impl FromRequestParts<Arc<App>> for RefreshCookie {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        if !is_same_origin(&parts.headers, app.config.http.public_url.scheme()) {
            return Err(FORBIDDEN);
        }
        let cookies = parts.headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut pairs =
            cookies.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
        let named = pairs.find(|(name, _)| *name == name_of(app));
        Ok(Self(named.and_then(|(_, token)| app.refresh_tokens.read(token))))
    }
}

/// What browsers say of where a request comes from, and scripts cannot forge. The host has been checked before.
fn is_same_origin(headers: &HeaderMap, scheme: &str) -> bool {
    let text = |name: HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let site = text(HeaderName::from_static("sec-fetch-site"));
    let origin = text(ORIGIN);
    if site.is_none() && origin.is_none() {
        return headers.contains_key("x-docuvault-client");
    }
    let own = format!("{scheme}://{}", text(HOST).unwrap_or_default());
    site.is_none_or(|site| site == "same-origin")
        && origin.is_none_or(|origin| origin.eq_ignore_ascii_case(&own))
}

/// `__Host-` makes a browser insist on HTTPS, the whole host and every path.
fn name_of(app: &App) -> &'static str {
    if is_secure(app) { "__Host-dv_rt" } else { "dv_rt" }
}

/// Plain http is for loopback hosts only, where `Secure` would keep the cookie from coming back.
fn is_secure(app: &App) -> bool {
    app.config.http.public_url.scheme() == "https"
}

/// `Set-Cookie` with `value` for so many seconds; none clears it.
pub(super) fn set(app: &App, value: &str, seconds: i64) -> Result<HeaderValue, ApiError> {
    let (name, secure) = (name_of(app), if is_secure(app) { "; Secure" } else { "" });
    let cookie = format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}");
    let mut header = HeaderValue::try_from(cookie).map_err(anyhow::Error::from)?;
    header.set_sensitive(true);
    Ok(header)
}
