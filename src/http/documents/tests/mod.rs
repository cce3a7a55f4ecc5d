//! The document routes over real PostgreSQL and S3.

mod announcing;
mod confirming;
mod life;
mod multipart;
mod quota;
mod searching;
