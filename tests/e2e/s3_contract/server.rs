//! The server under test, and the ways to talk to it.

use std::{env, net::SocketAddr, path::Path, sync::Arc, thread};

use aws_sdk_s3::{
    Client,
    config::{BehaviorVersion, Credentials, Region},
    error::ProvideErrorMetadata,
};
use chrono::{DateTime, Utc};
use docuvault::standalone::s3::{S3Endpoint, S3EndpointConfig};
use http::HeaderValue;
use tokio::{net::TcpListener, sync::OnceCell, task::JoinHandle};
use tokio_util::sync::CancellationToken;

pub(super) const ORIGIN: &str = "https://vault.example";

/// Where the server is and how to sign for it.
#[derive(Clone)]
pub(super) struct Server {
    pub endpoint: String,
    pub region: String,
    pub bucket: String,
    pub access_key_id: String,
    pub secret_access_key: String,
}

impl Server {
    pub(super) fn client(&self) -> Client {
        let credentials =
            Credentials::new(&self.access_key_id, &self.secret_access_key, None, None, "contract tests");
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .endpoint_url(&self.endpoint)
            .region(Region::new(self.region.clone()))
            .credentials_provider(credentials)
            .force_path_style(true)
            .retry_config(aws_sdk_s3::config::retry::RetryConfig::disabled())
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .build();
        Client::from_conf(config)
    }

    fn ours(address: SocketAddr) -> Self {
        Self {
            endpoint: format!("http://{address}"),
            region: "us-east-1".to_owned(),
            bucket: "vault".to_owned(),
            access_key_id: "contract".to_owned(),
            secret_access_key: "contract secret".to_owned(),
        }
    }

    fn from_environment() -> Option<Self> {
        Some(Self {
            endpoint: env::var("S3_CONTRACT_ENDPOINT").ok()?,
            region: env::var("S3_CONTRACT_REGION").ok()?,
            bucket: env::var("S3_CONTRACT_BUCKET").ok()?,
            access_key_id: env::var("S3_CONTRACT_ACCESS_KEY_ID").ok()?,
            secret_access_key: env::var("S3_CONTRACT_SECRET_ACCESS_KEY").ok()?,
        })
    }
}

/// One test's view of the shared server: a client, and a prefix nobody else uses.
pub(super) struct Bucket {
    pub server: Server,
    pub client: Client,
    pub prefix: String,
}

impl Bucket {
    pub(super) async fn new() -> Self {
        static SHARED: OnceCell<Server> = OnceCell::const_new();
        let server = SHARED.get_or_init(shared).await.clone();
        let prefix = format!("{:032x}/", rand::random::<u128>());
        Self { client: server.client(), server, prefix }
    }

    pub(super) fn name(&self) -> &str {
        &self.server.bucket
    }

    pub(super) fn key(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    pub(super) async fn put(&self, key: &str, body: &[u8]) -> String {
        let put = self.client.put_object().bucket(self.name()).key(key).body(body.to_vec().into());
        put.send().await.unwrap().e_tag.unwrap()
    }

    /// The bytes under a key, if there is an object.
    pub(super) async fn get(&self, key: &str) -> Option<Vec<u8>> {
        match self.client.get_object().bucket(self.name()).key(key).send().await {
            Ok(found) => Some(found.body.collect().await.unwrap().to_vec()),
            Err(error) if error.code() == Some("NoSuchKey") => None,
            Err(error) => panic!("{error:?}"),
        }
    }
}

async fn shared() -> Server {
    if let Some(server) = Server::from_environment() {
        return server;
    }
    // Every test has a runtime of its own, the server outlives them all.
    let (send, receive) = tokio::sync::oneshot::channel();
    thread::spawn(move || {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let root = tempfile::tempdir().unwrap();
            let own = OwnServer::start(root.path()).await;
            send.send(own.server.clone()).ok();
            own.task.await.unwrap();
        });
    });
    receive.await.unwrap()
}

/// Our endpoint, to be stopped and started again.
pub(super) struct OwnServer {
    pub server: Server,
    shutdown: CancellationToken,
    task: JoinHandle<()>,
}

impl OwnServer {
    pub(super) async fn start(root: &Path) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = Server::ours(address);
        let endpoint = S3Endpoint::open(S3EndpointConfig {
            root: root.to_owned(),
            bucket: server.bucket.clone(),
            access_key_id: server.access_key_id.clone(),
            secret_access_key: server.secret_access_key.clone().into(),
            cors_origins: vec![HeaderValue::from_static(ORIGIN)],
            now: Arc::new(now),
        });
        let endpoint = endpoint.await.unwrap();
        let shutdown = CancellationToken::new();
        let stop = shutdown.clone();
        let task = tokio::spawn(async move { endpoint.serve(listener, stop).await.unwrap() });
        Self { server, shutdown, task }
    }

    pub(super) async fn stop(self) {
        self.shutdown.cancel();
        self.task.await.unwrap();
    }

    pub(super) fn bucket(&self) -> Bucket {
        Bucket { client: self.server.client(), server: self.server.clone(), prefix: String::new() }
    }
}

#[expect(clippy::disallowed_methods, reason = "the clients sign with the real time, too")]
pub(super) fn now() -> DateTime<Utc> {
    Utc::now()
}

/// The code of a refused request.
pub(super) fn code<T: std::fmt::Debug, E: ProvideErrorMetadata + std::fmt::Debug, R: std::fmt::Debug>(
    outcome: Result<T, aws_sdk_s3::error::SdkError<E, R>>,
) -> String {
    outcome.unwrap_err().code().unwrap_or_default().to_owned()
}

/// The HTTP status of a refused request.
pub(super) fn status<T: std::fmt::Debug, E: std::fmt::Debug>(
    outcome: Result<T, aws_sdk_s3::error::SdkError<E, aws_sdk_s3::config::http::HttpResponse>>,
) -> u16 {
    outcome.unwrap_err().raw_response().map_or(0, |response| response.status().as_u16())
}
