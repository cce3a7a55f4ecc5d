use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use http::StatusCode;

use crate::error::ApiError;

/// Why the object store did not do it.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    #[error("there is no such object in the object store")]
    NotFound,
    /// The object is not, or no longer, the one that was meant.
    #[error("the object in the store is another one")]
    PreconditionFailed,
    /// Parts are missing, of the wrong size or not those that were stored.
    #[error("the stored parts are not those that were named")]
    WrongParts,
    /// This machine has no room for what was to be fetched.
    #[error("a fetched object cannot be kept for the moment: {0}")]
    Local(std::io::Error),
    #[error("the object store does not answer as it should: {0}")]
    Unavailable(String),
}

impl<E> From<SdkError<E, HttpResponse>> for BlobError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    fn from(error: SdkError<E, HttpResponse>) -> Self {
        let status = error.raw_response().and_then(|raw| StatusCode::from_u16(raw.status().as_u16()).ok());
        match (error.code(), status) {
            // The answer to a HEAD has no body that could say more than the status.
            (Some("NoSuchKey" | "NoSuchUpload" | "NotFound"), _) | (None, Some(StatusCode::NOT_FOUND)) => {
                Self::NotFound
            }
            (Some("InvalidPart" | "InvalidPartOrder" | "EntityTooSmall" | "MalformedXML"), _) => {
                Self::WrongParts
            }
            (_, Some(StatusCode::PRECONDITION_FAILED)) => Self::PreconditionFailed,
            _ => Self::Unavailable(DisplayErrorContext(&error).to_string()),
        }
    }
}

/// What a handler did not expect of the store is an outage: trying again helps.
impl From<BlobError> for ApiError {
    fn from(error: BlobError) -> Self {
        Self::Unavailable(error.to_string())
    }
}
