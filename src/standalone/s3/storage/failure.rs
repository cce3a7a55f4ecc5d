//! Why the storage didn't do it: a refusal that the client should see, or a fault of ours.

use std::io;

use s3s::S3Error;

#[derive(Debug, thiserror::Error)]
pub(in crate::standalone::s3) enum Failure {
    #[error("refused")]
    Refused(#[from] S3Error),
    #[error("the index can't be opened")]
    Open(#[from] redb::DatabaseError),
    #[error("the index can't start a transaction")]
    Transaction(#[from] redb::TransactionError),
    #[error("the index lacks a table")]
    Table(#[from] redb::TableError),
    #[error("the index can't be read or written")]
    Index(#[from] redb::StorageError),
    #[error("the index didn't commit")]
    Commit(#[from] redb::CommitError),
    #[error("a record of the index can't be read or written")]
    Record(#[from] serde_json::Error),
    #[error("a data file can't be read or written")]
    File(#[from] io::Error),
    #[error("the work was cut short")]
    Interrupted(#[from] tokio::task::JoinError),
}

impl From<Failure> for S3Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(error) => error,
            fault => Self::internal_error(fault),
        }
    }
}
