//! Our own S3 endpoint as the cluster's object store, on a thread of its own: what keeps the test busy slows nobody.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::thread;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use docuvault::standalone::s3::{S3Endpoint, S3EndpointConfig};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

const BUCKET: &str = "vault";
const REGION: &str = "us-east-1";
const ID: &str = "faults";
const SECRET: &str = "faults secret";

pub(crate) struct ObjectStore {
    pub(crate) address: SocketAddr,
    stop: CancellationToken,
}

impl ObjectStore {
    pub(super) async fn start(root: &Path) -> Self {
        let (root, stop) = (root.join("objects"), CancellationToken::new());
        let (started, is_started) = oneshot::channel();
        let stopped = stop.clone();
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                let endpoint = S3Endpoint::open(S3EndpointConfig {
                    root,
                    bucket: BUCKET.to_owned(),
                    access_key_id: ID.to_owned(),
                    secret_access_key: SECRET.to_owned().into(),
                    cors_origins: Vec::new(),
                    now: Arc::new(now),
                });
                let endpoint = endpoint.await.unwrap();
                started.send(listener.local_addr().unwrap()).unwrap();
                endpoint.serve(listener, stopped).await.unwrap();
            });
        });
        Self { address: is_started.await.unwrap(), stop }
    }

    /// What a process needs to know, reaching the store at `address` and sending clients to `public`.
    pub(super) fn variables(address: SocketAddr, public: SocketAddr) -> Vec<(String, String)> {
        let variables = [
            ("S3_ENDPOINT", format!("http://{address}")),
            ("S3_PUBLIC_ENDPOINT", format!("http://{public}")),
            ("S3_REGION", REGION.to_owned()),
            ("S3_BUCKET", BUCKET.to_owned()),
            ("S3_ACCESS_KEY_ID", ID.to_owned()),
            ("S3_SECRET_ACCESS_KEY", SECRET.to_owned()),
        ];
        variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// Every key in the bucket, past every proxy.
    pub(crate) async fn keys(&self) -> Vec<String> {
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .endpoint_url(format!("http://{}", self.address))
            .region(Region::new(REGION))
            .credentials_provider(Credentials::new(ID, SECRET, None, None, "faults"))
            .force_path_style(true)
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .build();
        let list = Client::from_conf(config).list_objects_v2().bucket(BUCKET);
        let mut pages = list.into_paginator().send();
        let mut keys = Vec::new();
        while let Some(page) = pages.next().await {
            keys.extend(
                page.unwrap().contents.unwrap_or_default().into_iter().map(|object| object.key.unwrap()),
            );
        }
        keys
    }
}

impl Drop for ObjectStore {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

#[expect(clippy::disallowed_methods, reason = "the clients sign with the real time, too")]
fn now() -> chrono::DateTime<chrono::Utc> {
    chrono::Utc::now()
}
