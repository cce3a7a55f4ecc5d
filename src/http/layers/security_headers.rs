//! Headers that keep a browser from doing more with an answer than it should (attack W04). On every response, errors
//! included; a page that needs a policy of its own has set it already.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderName, HeaderValue};
use url::Url;

/// Names and values, in the order they are added.
pub(super) type Headers = Vec<(HeaderName, HeaderValue)>;

/// The headers of an installation; with HTTPS it insists on HTTPS for a year.
pub(super) fn of(public_url: &Url) -> Headers {
    let value = HeaderValue::from_static;
    let mut headers = vec![
        (CONTENT_SECURITY_POLICY, value("default-src 'none'; frame-ancestors 'none'; base-uri 'none'")),
        (X_CONTENT_TYPE_OPTIONS, value("nosniff")),
        (X_FRAME_OPTIONS, value("DENY")),
        (REFERRER_POLICY, value("no-referrer")),
        (HeaderName::from_static("cross-origin-opener-policy"), value("same-origin")),
        (HeaderName::from_static("cross-origin-resource-policy"), value("same-origin")),
        (CACHE_CONTROL, value("no-store")),
    ];
    if public_url.scheme() == "https" {
        headers.push((STRICT_TRANSPORT_SECURITY, value("max-age=31536000; includeSubDomains")));
    }
    headers
}

pub(super) async fn add(State(headers): State<Headers>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    for (name, value) in headers {
        response.headers_mut().entry(name).or_insert(value);
    }
    response
}
