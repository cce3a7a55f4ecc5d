//! One request of a client, and what it knows after it: done, refused, or unknown. An unknown one is sent again with the
//! same idempotency key, on another node if there is one.

use std::time::Duration;

use reqwest::{Method, Response};
use serde_json::Value;

/// A client loses patience after this time.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) body: Option<Value>,
    /// The idempotency key of a mutation.
    pub(super) key: Option<String>,
    /// The position that a query insists on.
    pub(super) min_position: Option<i64>,
}

#[derive(Clone, Debug)]
pub(super) enum Answer {
    Done { position: Option<i64>, stale: bool, body: Value },
    Refused { status: u16, stale: bool, body: Value },
    Unknown(String),
}

impl Call {
    pub(super) fn query(path: impl Into<String>, min_position: i64) -> Self {
        let (method, path, min_position) = (Method::GET, path.into(), Some(min_position));
        Self { method, path, body: None, key: None, min_position }
    }

    pub(super) fn command(method: Method, path: impl Into<String>, body: Option<Value>, key: String) -> Self {
        Self { method, path: path.into(), body, key: Some(key), min_position: None }
    }

    /// Sends it once. `token`: of somebody who is signed in.
    pub(super) async fn send(&self, http: &reqwest::Client, base: &str, token: Option<&str>) -> Answer {
        let mut request = http.request(self.method.clone(), format!("{base}{}", self.path));
        request = request.timeout(PATIENCE).header("Accept", "application/json");
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if let Some(key) = &self.key {
            request = request.header("Idempotency-Key", key);
        }
        if let Some(position) = self.min_position {
            request = request.header("Docuvault-Min-Position", position);
        }
        if let Some(body) = &self.body {
            request = request.json(body);
        }
        match request.send().await {
            Ok(response) => answer(response).await,
            Err(error) => Answer::Unknown(innermost(&error)),
        }
    }
}

async fn answer(response: Response) -> Answer {
    let (status, headers) = (response.status(), response.headers().clone());
    let text = match response.text().await {
        Ok(text) => text,
        Err(error) => return Answer::Unknown(innermost(&error)),
    };
    let position = headers.get("docuvault-position").and_then(|value| value.to_str().ok()?.parse().ok());
    let stale = headers.contains_key("docuvault-stale");
    let body = serde_json::from_str(&text).unwrap_or(Value::Null);
    if status.is_success() {
        Answer::Done { position, stale, body }
    } else if status.is_server_error() {
        Answer::Unknown(format!("{status}: {}", body["detail"]))
    } else {
        Answer::Refused { status: status.as_u16(), stale, body }
    }
}

impl Answer {
    /// Told to come back: another try is under way, or too many of them.
    pub(super) fn asks_to_wait(&self) -> bool {
        match self {
            Self::Refused { status: 409, body, .. } => body["type"] == "/problems/conflict",
            Self::Refused { status: 429, .. } => true,
            _ => false,
        }
    }
}

fn innermost(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), innermost)
}
