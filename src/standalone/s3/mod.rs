//! The S3 endpoint of `docuvault standalone`, in-process and as honest as the real thing: what it
//! acknowledged survives a crash, what doesn't match its announced length or checksum replaces nothing,
//! and nothing happens without a valid signature. It serves only the operations that DocuVault and its
//! clients need.

mod access;
mod checksum;
mod conditions;
mod operations;
mod presigned;
mod receive;
mod serve;
mod storage;

use std::{path::PathBuf, sync::Arc};

use http::HeaderValue;
use s3s::{
    auth::SimpleAuth,
    config::{S3Config, StaticConfigProvider},
    service::{S3Service, S3ServiceBuilder},
};
use secrecy::{ExposeSecret, SecretString};
use tokio::{net::TcpListener, task::spawn_blocking};
use tokio_util::sync::CancellationToken;

pub use self::storage::Now;
use self::{access::Access, operations::Operations, storage::Storage};

/// The largest XML body: a list of 10,000 parts, or of 1,000 keys to delete.
const XML_BODY: usize = 8 * 1024 * 1024;
/// Forms are read before their signature is checked, and we take none.
const FORM: usize = 64 * 1024;

/// How to run the endpoint.
pub struct S3EndpointConfig {
    /// The directory that holds everything; only one endpoint at a time can open it.
    pub root: PathBuf,
    /// Created at the start if need be.
    pub bucket: String,
    /// The one key pair that requests are signed with.
    pub access_key_id: String,
    pub secret_access_key: SecretString,
    /// Origins whose pages may use presigned URLs.
    pub cors_origins: Vec<HeaderValue>,
    pub now: Now,
}

/// An opened endpoint, ready to serve.
pub struct S3Endpoint {
    s3: S3Service,
    cors_origins: Vec<HeaderValue>,
}

impl S3Endpoint {
    /// Opens the directory and removes what a crash left over. Fails when the directory can't be used or is
    /// in use.
    pub async fn open(config: S3EndpointConfig) -> anyhow::Result<Self> {
        let S3EndpointConfig { root, bucket, access_key_id, secret_access_key, cors_origins, now } = config;
        let storage = Arc::new(spawn_blocking(move || Storage::open(&root, now)).await??);
        storage.write(move |change| change.create_bucket(&bucket)).await?;

        let mut limits = S3Config::default();
        limits.xml_max_body_size = XML_BODY;
        limits.form_max_fields_size = FORM;
        let mut builder = S3ServiceBuilder::new(Operations(storage));
        builder.set_config(Arc::new(StaticConfigProvider::new(Arc::new(limits))));
        builder.set_auth(SimpleAuth::from_single(access_key_id, secret_access_key.expose_secret()));
        builder.set_access(Access);
        Ok(Self { s3: builder.build(), cors_origins })
    }

    /// Serves until `shutdown` is cancelled, then lets open requests end for up to 10 seconds.
    pub async fn serve(self, listener: TcpListener, shutdown: CancellationToken) -> anyhow::Result<()> {
        serve::serve(self.s3, self.cors_origins, listener, shutdown).await;
        Ok(())
    }
}
