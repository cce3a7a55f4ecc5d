//! The URL under which people reach the vault. Passwords travel to it, so plain http stays on the machine.

use std::net::SocketAddr;

use url::{Host, Url};

use super::{ConfigError, Environment};

const NAME: &str = "DOCUVAULT_PUBLIC_URL";

/// The variable's URL, or else `http://<listen>`.
pub(super) fn from_env(environment: &Environment, listen: SocketAddr) -> Result<Url, ConfigError> {
    let url = match environment.http_url(NAME)? {
        Some(url) => url,
        None => Url::parse(&format!("http://{listen}"))
            .map_err(|error| ConfigError::wrong("DOCUVAULT_LISTEN", error.to_string()))?,
    };
    if url.path() != "/" || url.fragment().is_some() {
        return Err(ConfigError::wrong(NAME, format!("{url} must end after the host")));
    }
    refuse_plain(NAME, &url)?;
    Ok(url)
}

/// What people send and fetch over this URL is not for everybody on the way.
pub(super) fn refuse_plain(name: &str, url: &Url) -> Result<(), ConfigError> {
    if url.scheme() != "http" || is_loopback(url) {
        return Ok(());
    }
    let reason = format!(
        "{url} is plain http, which is for loopback hosts only\n\
         what to do: put a TLS proxy in front and set {name} to its https URL"
    );
    Err(ConfigError::wrong(name, reason))
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}
