//! What presigned URLs are answered with beyond what S3 says: browsers open them, and people try them with a HEAD.

use http::header::{CONTENT_DISPOSITION, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, Method, Request, Response, StatusCode, request};
use hyper::body::Incoming;
use s3s::{Body, HttpError, service::S3Service};
use url::form_urlencoded;

/// Hands `request` to S3. No browser guesses at a type; what a URL gives is a file to keep, unless it says otherwise.
pub(super) async fn answer(s3: S3Service, request: Request<Incoming>) -> Result<Response<Body>, HttpError> {
    let (parts, body) = request.into_parts();
    let reads = matches!(parts.method, Method::GET | Method::HEAD) && is_presigned(&parts);
    let may_be_for_get = reads && parts.method == Method::HEAD;
    let again = may_be_for_get.then(|| parts.clone());
    let mut response = s3.call(Request::from_parts(parts, body.into())).await?;
    if let (Some(parts), StatusCode::FORBIDDEN) = (again, response.status()) {
        response = head_of_get(&s3, parts).await?;
    }
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if reads {
        headers.entry(CONTENT_DISPOSITION).or_insert(HeaderValue::from_static("attachment"));
    }
    Ok(response)
}

/// A signature for GET is as good for HEAD: it is checked as it is, and a HEAD tells nothing that the GET would not.
async fn head_of_get(s3: &S3Service, mut parts: request::Parts) -> Result<Response<Body>, HttpError> {
    parts.method = Method::GET;
    let response = s3.call(Request::from_parts(parts, Body::empty())).await?;
    Ok(response.map(|_| Body::empty()))
}

fn is_presigned(parts: &request::Parts) -> bool {
    let query = parts.uri.query().unwrap_or_default();
    form_urlencoded::parse(query.as_bytes()).any(|(name, _)| name == "X-Amz-Signature")
}
