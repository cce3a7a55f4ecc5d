//! What a request may ask, beyond what s3s checks: that its signature is right.
//!
//! s3s lets headers pass that the signature doesn't cover. The holder of a presigned PUT could add
//! `x-amz-copy-source` and read anybody's document into a key of their own; so, as in S3, every
//! `x-amz-*` header must be signed. And what we don't do must not be ignored silently.

use async_trait::async_trait;
use http::{Method, header};
use s3s::{
    S3Result,
    access::{S3Access, S3AccessContext},
    s3_error,
};
use url::form_urlencoded;

/// Their values are checked against the signature or the body, or mean nothing to us.
const UNSIGNED: [&str; 2] = ["x-amz-content-sha256", "x-amz-user-agent"];

/// Beginnings of headers that ask for what we don't do.
const UNSUPPORTED: [&str; 7] = [
    "x-amz-copy-source-server-side-encryption",
    "x-amz-grant-",
    "x-amz-object-lock-",
    "x-amz-server-side-encryption",
    "x-amz-tagging",
    "x-amz-website-redirect-location",
    "x-amz-write-offset-bytes",
];

pub(super) struct Access;

#[async_trait]
impl S3Access for Access {
    async fn check(&self, context: &mut S3AccessContext<'_>) -> S3Result<()> {
        if context.credentials().is_none() {
            return Err(s3_error!(AccessDenied, "Signature is required"));
        }
        require_signed_headers(context)?;
        refuse_unsupported(context)?;
        match context.s3_path().get_object_key() {
            // No answer in XML could name such a key.
            Some(key) if key.chars().any(char::is_control) => {
                Err(s3_error!(InvalidURI, "Control character in a key"))
            }
            _ => Ok(()),
        }
    }
}

fn require_signed_headers(context: &S3AccessContext<'_>) -> S3Result<()> {
    // Without a list the request is signed with version 2, which covers too little.
    let signed =
        signed_headers(context).ok_or_else(|| s3_error!(AccessDenied, "Signature version 4 is required"))?;
    let covered = |name: &str| signed.split(';').any(|signed| signed.eq_ignore_ascii_case(name));
    let must_be_signed = |name: &&str| name.starts_with("x-amz-") && !UNSIGNED.contains(name);
    if covered("host")
        && context.headers().keys().map(header::HeaderName::as_str).filter(must_be_signed).all(covered)
    {
        return Ok(());
    }
    Err(s3_error!(AccessDenied, "There were headers present in the request which were not signed"))
}

/// The list that the verified signature covers: s3s looks at the query first, too.
fn signed_headers(context: &S3AccessContext<'_>) -> Option<String> {
    if query(context, "X-Amz-Signature").is_some() {
        return query(context, "X-Amz-SignedHeaders");
    }
    let authorization = context.headers().get(header::AUTHORIZATION)?.to_str().ok()?;
    let (_, list) = authorization.split_once("SignedHeaders=")?;
    list.split(',').next().map(|list| list.trim().to_owned())
}

fn refuse_unsupported(context: &S3AccessContext<'_>) -> S3Result<()> {
    let headers = context.headers();
    let by_header =
        headers.keys().any(|name| UNSUPPORTED.iter().any(|start| name.as_str().starts_with(start)));
    let public = headers.get("x-amz-acl").is_some_and(|acl| acl != "private");
    let reads = [Method::GET, Method::HEAD].contains(context.method());
    let by_query = query(context, "versionId").is_some() || reads && query(context, "partNumber").is_some();
    if by_header || public || by_query {
        return Err(s3_error!(NotImplemented));
    }
    Ok(())
}

fn query(context: &S3AccessContext<'_>, name: &str) -> Option<String> {
    let mut pairs = form_urlencoded::parse(context.uri().query()?.as_bytes());
    pairs.find(|(found, _)| found == name).map(|(_, value)| value.into_owned())
}
