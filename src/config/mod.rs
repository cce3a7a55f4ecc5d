//! What the operator decides, read once at the start and typed: nothing else in the program looks at the
//! environment. A value that is wrong or missing stops the start and names its variable; secrets never show
//! in `Debug` output.

mod database_url;
mod environment;
mod limits;
mod mail;
mod master_key_file;
mod nats;
mod origin;
mod proxies;
mod public_url;
mod size;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::path::PathBuf;

use ipnet::IpNet;
use secrecy::SecretString;
use tracing_subscriber::EnvFilter;
use url::Url;

pub use database_url::DatabaseUrl;
pub use environment::Environment;
pub use limits::{Limit, Limits};
pub use mail::{MailConfig, MailRoute, SmtpConfig, SmtpEncryption};
pub use nats::{NatsConfig, NatsLogin};

/// Where HTTP is served when nobody says otherwise.
pub const DEFAULT_LISTEN: &str = "127.0.0.1:8080";

const TEN_GIB: u64 = 10 * 1024 * 1024 * 1024;

/// A variable that stops the start. The message names it and, unless it is a secret, shows its value.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A required variable is absent or empty.
    #[error("{name} is not set\nwhat to do: set it in the environment or in --env-file: {expected}")]
    Missing { name: &'static str, expected: &'static str },
    /// A variable holds something else than what it should.
    #[error("{name} is wrong: {reason}")]
    Wrong { name: String, reason: String },
}

impl ConfigError {
    fn wrong(name: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Wrong { name: name.into(), reason: reason.into() }
    }
}

/// Everything that `docuvault serve` and `docuvault standalone` need.
#[derive(Debug, Clone)]
pub struct Config {
    /// `DATABASE_URL`: the application's role, `docuvault_app`.
    pub database: DatabaseUrl,
    pub http: HttpConfig,
    /// `SMTP_URL` and `DOCUVAULT_MAIL_FROM`.
    pub mail: MailConfig,
    /// `NATS_URL` and `NATS_CREDENTIALS`; `None` when no role of this process needs NATS.
    pub nats: Option<NatsConfig>,
    pub s3: S3Config,
    pub vault: VaultConfig,
}

impl Config {
    /// Reads every section.
    pub fn from_env(environment: &Environment) -> Result<Self, ConfigError> {
        let http = HttpConfig::from_env(environment)?;
        Ok(Self {
            database: DatabaseUrl::application(environment)?,
            mail: MailConfig::from_env(environment, &http.public_url)?,
            http,
            nats: NatsConfig::from_env(environment)?,
            s3: S3Config::from_env(environment)?,
            vault: VaultConfig::from_env(environment)?,
        })
    }
}

/// The listening addresses and what browsers may do.
#[derive(Debug, Clone)]
pub struct HttpConfig {
    /// `DOCUVAULT_LISTEN`, default [`DEFAULT_LISTEN`].
    pub listen: SocketAddr,
    /// `DOCUVAULT_PUBLIC_URL`: scheme and host only. Plain http is for loopback hosts alone.
    pub public_url: Url,
    /// `DOCUVAULT_CORS_ORIGINS`: serialized origins (RFC 6454) allowed beside the public URL's.
    pub cors_origins: Vec<String>,
    /// `DOCUVAULT_METRICS_LISTEN`, default a free loopback port.
    pub metrics_listen: SocketAddr,
    /// `DOCUVAULT_TRUSTED_PROXIES`: whose `X-Forwarded-For` is believed, default nobody's.
    pub trusted_proxies: Vec<IpNet>,
}

impl HttpConfig {
    pub fn from_env(environment: &Environment) -> Result<Self, ConfigError> {
        let listen = environment.address("DOCUVAULT_LISTEN", DEFAULT_LISTEN)?;
        Ok(Self {
            listen,
            public_url: public_url::from_env(environment, listen)?,
            cors_origins: origin::list_from_env(environment)?,
            metrics_listen: environment.address("DOCUVAULT_METRICS_LISTEN", "127.0.0.1:0")?,
            trusted_proxies: proxies::list_from_env(environment)?,
        })
    }
}

/// The bucket that holds the documents' bytes.
#[derive(Debug, Clone)]
pub struct S3Config {
    /// `S3_ENDPOINT`: how this process reaches the store.
    pub endpoint: Url,
    /// `S3_PUBLIC_ENDPOINT`: how clients reach it, default the same. Presigned URLs carry it.
    pub public_endpoint: Url,
    pub region: String,
    pub bucket: String,
    pub access_key_id: SecretString,
    pub secret_access_key: SecretString,
}

impl S3Config {
    pub fn from_env(environment: &Environment) -> Result<Self, ConfigError> {
        let endpoint = environment.http_url("S3_ENDPOINT")?.ok_or(ConfigError::Missing {
            name: "S3_ENDPOINT",
            expected: "the URL of the S3 store, such as https://s3.example.com",
        })?;
        let public_endpoint = environment.http_url("S3_PUBLIC_ENDPOINT")?.unwrap_or_else(|| endpoint.clone());
        public_url::refuse_plain("S3_PUBLIC_ENDPOINT", &public_endpoint)?;
        Ok(Self {
            endpoint,
            public_endpoint,
            region: environment.required("S3_REGION", "the store's region, such as us-east-1")?,
            bucket: environment.required("S3_BUCKET", "the name of an existing bucket")?,
            access_key_id: environment.required_secret("S3_ACCESS_KEY_ID", "the id of the access key")?,
            secret_access_key: environment
                .required_secret("S3_SECRET_ACCESS_KEY", "the secret of the access key")?,
        })
    }
}

/// What the vault itself goes by.
#[derive(Debug, Clone)]
pub struct VaultConfig {
    /// `DOCUVAULT_MASTER_KEY_FILE`: exists, and only its owner can read it.
    pub master_key_file: PathBuf,
    /// `DOCUVAULT_DEFAULT_QUOTA`: bytes granted to a new user, default 10 GiB.
    pub default_quota: u64,
    /// `DOCUVAULT_LIMITS`: how many failures at secrets there may be.
    pub limits: Limits,
    /// `HIBP_URL`: where new passwords are looked up among breached ones, default nowhere.
    pub breaches: Option<Url>,
    /// `DOCUVAULT_REGISTRATION`: whether people may register by themselves, default no.
    pub registration_is_open: bool,
}

impl VaultConfig {
    pub fn from_env(environment: &Environment) -> Result<Self, ConfigError> {
        Ok(Self {
            master_key_file: master_key_file::from_env(environment)?,
            default_quota: match environment.text("DOCUVAULT_DEFAULT_QUOTA") {
                Some(text) => size::parse(&text)
                    .map_err(|reason| ConfigError::wrong("DOCUVAULT_DEFAULT_QUOTA", reason))?,
                None => TEN_GIB,
            },
            limits: Limits::from_env(environment)?,
            breaches: environment.http_url("HIBP_URL")?,
            registration_is_open: match environment.text("DOCUVAULT_REGISTRATION").as_deref() {
                None | Some("closed") => false,
                Some("open") => true,
                Some(other) => {
                    let reason = format!("{other:?} is neither `closed` nor `open`");
                    return Err(ConfigError::wrong("DOCUVAULT_REGISTRATION", reason));
                }
            },
        })
    }
}

/// `DOCUVAULT_LOG`: directives of `tracing` such as `info,docuvault=debug`. By default `info`, without the S3 endpoint's
/// own library, which logs every refusal as an error.
pub fn log_filter(environment: &Environment) -> Result<EnvFilter, ConfigError> {
    let directives = environment.text("DOCUVAULT_LOG").unwrap_or_else(|| "info,s3s=off".to_owned());
    EnvFilter::builder()
        .parse(&directives)
        .map_err(|error| ConfigError::wrong("DOCUVAULT_LOG", format!("{directives:?}: {error}")))
}
