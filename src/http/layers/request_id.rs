//! Names the request: by the client's own `X-Request-Id` if it is harmless, else by a new id.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use event_store::Clock;
use http::HeaderValue;
use uuid::Uuid;

use crate::http::extract::RequestId;

const HEADER: &str = "x-request-id";
const MAX_LENGTH: usize = 128;

pub(super) async fn assign(State(clock): State<Clock>, mut request: Request, next: Next) -> Response {
    let given = request.headers().get(HEADER).and_then(|value| value.to_str().ok());
    let id = if let Some(text) = given.filter(|text| is_valid(text)) {
        let correlation_id = Uuid::parse_str(text).unwrap_or_else(|_| clock.new_id());
        RequestId { text: text.to_owned(), correlation_id }
    } else {
        let correlation_id = clock.new_id();
        RequestId { text: correlation_id.to_string(), correlation_id }
    };
    let header = HeaderValue::from_str(&id.text);
    request.extensions_mut().insert(id);
    let mut response = next.run(request).await;
    if let Ok(header) = header {
        response.headers_mut().insert(HEADER, header);
    }
    response
}

fn is_valid(text: &str) -> bool {
    (1..=MAX_LENGTH).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}
