/// Why a document refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    #[error("no such document")]
    NotFound,
    #[error("this document was already requested")]
    AlreadyRequested,
    #[error("the upload has not arrived yet: finish it or give it up")]
    NotUploaded,
    #[error("this upload is not one of the document's")]
    UnknownUpload,
    #[error("the upload has already arrived")]
    AlreadyUploaded,
    #[error("a multipart upload is verified before it is complete")]
    NotVerified,
    #[error("only multipart uploads are verified after the upload")]
    NothingToVerify,
    #[error("the uploaded bytes were not the announced ones, and the upload was rejected")]
    Rejected,
    #[error("the upload was given up")]
    Cancelled,
    #[error("the upload was not finished in time and has expired")]
    Expired,
    #[error("the upload has not expired yet")]
    NotExpired,
    #[error("the document was deleted permanently")]
    Purged,
}
