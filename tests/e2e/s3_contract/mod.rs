//! What DocuVault expects of an S3 server. By default that is our own endpoint, started for the test
//! binary; `S3_CONTRACT_ENDPOINT`, `_REGION`, `_BUCKET`, `_ACCESS_KEY_ID` and `_SECRET_ACCESS_KEY` point the
//! tests at another one. `own_endpoint` covers what only ours promises.

mod conditions;
mod integrity;
mod listing;
mod multipart;
mod objects;
mod own_endpoint;
mod presigned;
mod server;
mod signatures;
