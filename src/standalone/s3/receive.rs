//! Takes the body of a PUT into a file: counted, hashed, compared with everything the client claimed
//! about it, and durable. What doesn't match leaves nothing behind.

use std::{sync::Arc, time::Duration};

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use futures::StreamExt;
use http::HeaderMap;
use s3s::{
    S3Error, S3ErrorCode, S3Result, StdError, TrailingHeaders,
    checksum::ChecksumHasher,
    crypto::{Checksum as _, Md5},
    dto::StreamingBlob,
    s3_error,
};
use tokio::task::spawn_blocking;

use super::{
    checksum::{Algorithm, Checksum, given_checksum},
    storage::{Failure, Incoming, Part, Storage},
};

/// A body that stands still this long is given up.
const STALL: Duration = Duration::from_mins(1);
/// Bytes gathered before they are hashed and written.
const BATCH: usize = 1024 * 1024;
/// The largest object or part that one PUT may carry, as in S3.
const LARGEST: u64 = 5 * 1024 * 1024 * 1024;

/// What a request says about its body.
pub(super) struct Claims {
    pub length: u64,
    pub md5: Option<String>,
    pub algorithm: Algorithm,
    pub checksum: Option<String>,
    /// Where the checksum comes after the body.
    pub trailer: Option<TrailingHeaders>,
}

impl Claims {
    /// `given` comes from the headers; `wished` is the algorithm named by the request or its upload.
    pub(super) fn new(
        headers: &HeaderMap,
        content_length: Option<i64>,
        md5: Option<String>,
        given: Option<(Algorithm, String)>,
        wished: Option<Algorithm>,
        trailer: Option<TrailingHeaders>,
    ) -> S3Result<Self> {
        // An aws-chunked body is framed: its own header counts the bytes inside.
        let decoded =
            headers.get("x-amz-decoded-content-length").and_then(|value| value.to_str().ok()?.parse().ok());
        let length = decoded.or(content_length.and_then(|length| length.try_into().ok()));
        let length = length.ok_or_else(|| s3_error!(MissingContentLength))?;
        if length > LARGEST {
            return Err(s3_error!(EntityTooLarge));
        }
        let (algorithm, checksum) = match given {
            Some((given, _)) if wished.is_some_and(|wished| wished != given) => {
                return Err(s3_error!(InvalidRequest, "The checksum is not of the algorithm asked for"));
            }
            Some((algorithm, value)) => (algorithm, Some(value)),
            None => (wished.unwrap_or(Algorithm::Crc64Nvme), None),
        };
        let announced = headers.get("x-amz-trailer").is_some_and(|name| name == algorithm.header());
        Ok(Self { length, md5, algorithm, checksum, trailer: trailer.filter(|_| announced) })
    }
}

/// A received body: the file that holds it, and its description.
pub(super) async fn receive(
    storage: &Arc<Storage>,
    body: Option<StreamingBlob>,
    claims: Claims,
) -> S3Result<(Incoming, Part)> {
    let incoming = storage.create_file().await?;
    let mut sink = Sink { incoming, length: 0, md5: Md5::new(), hasher: claims.algorithm.hasher() };
    let mut body = body.unwrap_or_else(|| StreamingBlob::from(s3s::Body::empty()));
    let mut batch = Vec::new();
    let mut batched = 0;
    loop {
        let next = tokio::time::timeout(STALL, body.next()).await;
        let Some(chunk) = next.map_err(|_| s3_error!(RequestTimeout))? else { break };
        let chunk = chunk.map_err(refuse_body)?;
        batched += chunk.len();
        if sink.length + batched as u64 > claims.length {
            return Err(s3_error!(IncompleteBody, "The body is longer than announced"));
        }
        batch.push(chunk);
        if batched >= BATCH {
            sink = sink.take(std::mem::take(&mut batch)).await?;
            batched = 0;
        }
    }
    let sink = sink.take(batch).await?;
    sink.finish(claims, storage).await
}

struct Sink {
    incoming: Incoming,
    length: u64,
    md5: Md5,
    hasher: ChecksumHasher,
}

impl Sink {
    async fn take(mut self, batch: Vec<Bytes>) -> Result<Self, Failure> {
        spawn_blocking(move || {
            for chunk in batch {
                self.length += chunk.len() as u64;
                self.md5.update(&chunk);
                self.hasher.update(&chunk);
                self.incoming.write_all(&chunk)?;
            }
            Ok(self)
        })
        .await?
    }

    async fn finish(self, claims: Claims, storage: &Storage) -> S3Result<(Incoming, Part)> {
        if self.length != claims.length {
            return Err(s3_error!(IncompleteBody));
        }
        let md5 = self.md5.finalize();
        if let Some(claimed) = claims.md5
            && claimed != BASE64_STANDARD.encode(md5)
        {
            return Err(s3_error!(BadDigest, "The Content-MD5 is not the body's"));
        }
        let computed = self.hasher.finalize();
        let value = given_checksum!(computed)?.map(|(_, value)| value).unwrap_or_default();
        let trailed =
            claims.trailer.map(|trailer| trailed_checksum(&trailer, claims.algorithm)).transpose()?;
        if claims.checksum.iter().chain(&trailed).any(|claimed| *claimed != value) {
            return Err(s3_error!(BadDigest, "The checksum is not the body's"));
        }
        let part = Part {
            file: self.incoming.name().to_owned(),
            size: self.length,
            e_tag: hex::encode(md5),
            modified: storage.now(),
            checksum: Checksum { algorithm: claims.algorithm, value, composite: false },
        };
        let incoming = sync(self.incoming).await?;
        Ok((incoming, part))
    }
}

fn trailed_checksum(trailer: &TrailingHeaders, algorithm: Algorithm) -> S3Result<String> {
    let value = trailer.read(|headers| Some(headers.get(algorithm.header())?.to_str().ok()?.to_owned()));
    value.flatten().ok_or_else(|| s3_error!(InvalidRequest, "The announced trailing checksum is missing"))
}

async fn sync(incoming: Incoming) -> Result<Incoming, Failure> {
    spawn_blocking(move || {
        incoming.sync()?;
        Ok(incoming)
    })
    .await?
}

/// The body broke off, or what verifies its signature or hash as it passes refused it.
fn refuse_body(error: StdError) -> S3Error {
    let text = error.to_string();
    let code = if text.contains("Mismatch") {
        S3ErrorCode::SignatureDoesNotMatch
    } else {
        S3ErrorCode::IncompleteBody
    };
    S3Error::with_source(code, error)
}
