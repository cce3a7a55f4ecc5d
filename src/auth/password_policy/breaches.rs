//! Asks Have I Been Pwned (or a mirror of it) whether a password is known from a breach, by k-anonymity: five digits of
//! its SHA-1 leave this machine, and what comes back, padded, is some hundred other hashes. Whoever cannot be reached is
//! not waited for: the list of common passwords and the estimate of strength have been asked by then.

use std::time::Duration;

use anyhow::{Context, bail};
use bytes::Bytes;
use http::header::USER_AGENT;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use metrics::counter;
use sha1::{Digest, Sha1};
use url::Url;

/// A person waits for the answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// An answer has some forty kilobytes.
const MAX_ANSWER: usize = 1024 * 1024;
/// Hexadecimal digits of a hash that are sent.
const PREFIX: usize = 5;
const SUFFIX: usize = 35;

/// The range API of version 3.
pub(super) struct Breaches {
    client: Client<HttpsConnector<HttpConnector>, Empty<Bytes>>,
    /// Without a slash at its end.
    url: String,
}

impl Breaches {
    pub(super) fn new(url: &Url) -> anyhow::Result<Self> {
        let connector = HttpsConnectorBuilder::new()
            .with_provider_and_native_roots(rustls::crypto::ring::default_provider())
            .context("HIBP_URL is set, but this machine knows no certificate authorities")?;
        let client =
            Client::builder(TokioExecutor::new()).build(connector.https_or_http().enable_http1().build());
        Ok(Self { client, url: url.as_str().trim_end_matches('/').to_owned() })
    }

    /// Whether `password` is known. If nobody can say so, it is taken as unknown.
    pub(super) async fn know(&self, password: &str) -> bool {
        let hash = hex::encode_upper(Sha1::digest(password.as_bytes()));
        let (prefix, suffix) = hash.split_at(PREFIX);
        let answered = tokio::time::timeout(PATIENCE, self.range(prefix)).await;
        let known = match answered.context("no answer within two seconds").flatten() {
            Ok(range) => contains(&range, suffix),
            Err(error) => Err(error),
        };
        let outcome = match &known {
            Ok(true) => "known",
            Ok(false) => "unknown",
            Err(_) => "failed",
        };
        counter!("docuvault_breach_checks_total", "outcome" => outcome).increment(1);
        known.unwrap_or_else(|error| {
            let error = format!("{error:#}");
            tracing::warn!(
                error,
                "a new password was taken without asking HIBP_URL whether it is known from a breach"
            );
            false
        })
    }

    /// The hashes that begin with `prefix`. A redirect is not followed.
    async fn range(&self, prefix: &str) -> anyhow::Result<String> {
        let request = Request::get(format!("{}/range/{prefix}", self.url))
            .header("Add-Padding", "true")
            .header(USER_AGENT, "docuvault")
            .body(Empty::new())?;
        let answer = self.client.request(request).await.context("it cannot be reached")?;
        if answer.status() != StatusCode::OK {
            bail!("it answered {}", answer.status());
        }
        let body = Limited::new(answer.into_body(), MAX_ANSWER).collect().await;
        let body = body.map_err(|error| anyhow::anyhow!("its answer broke off: {error}"))?;
        String::from_utf8(body.to_bytes().into()).context("its answer is not text")
    }
}

/// Looks for `suffix` in lines of `SUFFIX:COUNT`. Those that only pad have a count of zero.
fn contains(range: &str, suffix: &str) -> anyhow::Result<bool> {
    let mut found = false;
    let mut lines = 0_usize;
    for line in range.lines() {
        let hash = line
            .split_once(':')
            .filter(|(hash, _)| hash.len() == SUFFIX && hash.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let count = hash.and_then(|(hash, count)| Some((hash, count.trim().parse::<u64>().ok()?)));
        let (hash, count) = count.context("its answer is not a list of hashes")?;
        found |= count > 0 && hash.eq_ignore_ascii_case(suffix);
        lines += 1;
    }
    if lines == 0 {
        bail!("its answer is empty");
    }
    Ok(found)
}
