//! Preconditions of reads and writes (RFC 9110 §13).

use std::time::SystemTime;

use chrono::SubsecRound;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use s3s::{
    S3Error, S3ErrorCode, S3Result,
    dto::{ETag, ETagCondition, Timestamp},
    s3_error,
};

use super::storage::Object;

/// `If-Match`, `If-None-Match`, `If-Modified-Since` and `If-Unmodified-Since` of a read.
#[derive(Default)]
pub(super) struct ReadConditions {
    pub matches: Option<ETagCondition>,
    pub none_matches: Option<ETagCondition>,
    pub modified_since: Option<Timestamp>,
    pub unmodified_since: Option<Timestamp>,
}

impl ReadConditions {
    /// `PreconditionFailed`, or 304 with the entity tag.
    pub(super) fn check(self, object: &Object) -> S3Result<()> {
        let unmodified = match (self.matches, self.unmodified_since) {
            (Some(wanted), _) => is_met(&wanted, object),
            (None, Some(since)) => modified(object) <= since,
            (None, None) => true,
        };
        if !unmodified {
            return Err(s3_error!(PreconditionFailed));
        }
        let changed = match (self.none_matches, self.modified_since) {
            (Some(known), _) => !is_met(&known, object),
            (None, Some(since)) => modified(object) > since,
            (None, None) => true,
        };
        if changed { Ok(()) } else { Err(not_modified(object)) }
    }

    /// The same for the source of a copy, where nothing is 304.
    pub(super) fn check_source(self, object: &Object) -> S3Result<()> {
        self.check(object).map_err(|_| s3_error!(PreconditionFailed))
    }
}

/// `If-Match` and `If-None-Match` of a write. To hold, they must be checked inside the change.
#[derive(Default)]
pub(super) struct WriteConditions {
    pub matches: Option<ETagCondition>,
    pub none_matches: Option<ETagCondition>,
}

impl WriteConditions {
    /// From the headers of a request whose input type doesn't carry them.
    pub(super) fn from_headers(headers: &HeaderMap) -> S3Result<Self> {
        let parse = |name: HeaderName| {
            let condition =
                headers.get(name).map(HeaderValue::as_bytes).map(ETagCondition::parse_http_header);
            condition.transpose().map_err(|error| s3_error!(error, InvalidArgument, "Not an entity tag"))
        };
        Ok(Self { matches: parse(header::IF_MATCH)?, none_matches: parse(header::IF_NONE_MATCH)? })
    }

    pub(super) fn check(&self, present: Option<&Object>) -> S3Result<()> {
        match (&self.matches, present) {
            (Some(_), None) => return Err(s3_error!(NoSuchKey)),
            (Some(wanted), Some(object)) if !is_met(wanted, object) => {
                return Err(s3_error!(PreconditionFailed));
            }
            _ => {}
        }
        match (&self.none_matches, present) {
            (Some(unwanted), Some(object)) if is_met(unwanted, object) => Err(s3_error!(PreconditionFailed)),
            _ => Ok(()),
        }
    }
}

fn is_met(condition: &ETagCondition, object: &Object) -> bool {
    match condition {
        ETagCondition::Any => true,
        ETagCondition::ETag(tag) => tag.value() == object.e_tag,
    }
}

fn not_modified(object: &Object) -> S3Error {
    let mut error = S3Error::new(S3ErrorCode::NotModified);
    error.set_status_code(StatusCode::NOT_MODIFIED);
    if let Ok(tag) = ETag::Strong(object.e_tag.clone()).to_http_header() {
        error.set_headers(HeaderMap::from_iter([(header::ETAG, tag)]));
    }
    error
}

/// When the object was modified, in whole seconds like the times in headers.
fn modified(object: &Object) -> Timestamp {
    SystemTime::from(object.modified.trunc_subsecs(0)).into()
}
