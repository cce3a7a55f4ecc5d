//! How NATS is reached, and as whom: each client of it has a login of its own, so that one which is taken over can
//! do no more than its own work.

use std::collections::BTreeMap;

use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::{ConfigError, Environment};

const EXPECTED: &str = "the URL of nats-server, such as nats://user:password@127.0.0.1:4222";

/// `NATS_URL` and `NATS_CREDENTIALS`.
#[derive(Clone, Debug)]
pub struct NatsConfig {
    /// Host and port.
    address: String,
    pub tls: bool,
    /// Of `NATS_URL`: for whoever has no login of its own.
    shared: Option<NatsLogin>,
    own: BTreeMap<String, SecretString>,
}

/// A user of nats-server.
#[derive(Clone, Debug)]
pub struct NatsLogin {
    pub user: String,
    pub password: SecretString,
}

impl NatsConfig {
    /// `None`: `NATS_URL` is not set, and no role that needs NATS can run here.
    pub fn from_env(environment: &Environment) -> Result<Option<Self>, ConfigError> {
        let Some(url) = environment.secret("NATS_URL")? else { return Ok(None) };
        let wrong = || ConfigError::wrong("NATS_URL", format!("it is not {EXPECTED}"));
        let url = Url::parse(url.expose_secret()).map_err(|_| wrong())?;
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or_else(wrong)?;
        if !matches!(url.scheme(), "nats" | "tls") {
            return Err(wrong());
        }
        let shared = match (url.username(), url.password()) {
            ("", _) => None,
            (user, Some(password)) => Some(NatsLogin { user: user.into(), password: password.into() }),
            _ => return Err(wrong()),
        };
        Ok(Some(Self {
            address: format!("{host}:{}", url.port().unwrap_or(4222)),
            tls: url.scheme() == "tls",
            shared,
            own: own_logins(environment)?,
        }))
    }

    /// What is said when a role needs NATS and `NATS_URL` is not set.
    pub const fn missing() -> ConfigError {
        ConfigError::Missing { name: "NATS_URL", expected: EXPECTED }
    }

    /// Host and port of nats-server.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The login of the client `name`, else the shared one.
    pub fn login(&self, name: &str) -> Option<NatsLogin> {
        let own =
            self.own.get(name).map(|password| NatsLogin { user: name.into(), password: password.clone() });
        own.or_else(|| self.shared.clone())
    }
}

/// `NATS_CREDENTIALS`, or the content of `NATS_CREDENTIALS_FILE`: `client:password`, divided by commas
/// or white space.
fn own_logins(environment: &Environment) -> Result<BTreeMap<String, SecretString>, ConfigError> {
    let Some(text) = environment.secret("NATS_CREDENTIALS")? else { return Ok(BTreeMap::new()) };
    let logins =
        text.expose_secret().split([',', ' ', '\n']).map(str::trim).filter(|login| !login.is_empty()).map(
            |login| {
                let (client, password) = login.split_once(':').ok_or_else(|| {
                    ConfigError::wrong("NATS_CREDENTIALS", "expected client:password, divided by commas")
                })?;
                Ok((client.to_owned(), SecretString::from(password)))
            },
        );
    logins.collect()
}
