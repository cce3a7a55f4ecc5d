//! Whom to believe about where a request came from.

use std::net::IpAddr;

use ipnet::IpNet;

use super::{ConfigError, Environment};

const NAME: &str = "DOCUVAULT_TRUSTED_PROXIES";

pub(super) fn list_from_env(environment: &Environment) -> Result<Vec<IpNet>, ConfigError> {
    let text = environment.text(NAME).unwrap_or_default();
    text.split(',').map(str::trim).filter(|network| !network.is_empty()).map(parse).collect()
}

/// An address, or a network that is written without bits of a host: those would be a mistake in one or the other.
fn parse(text: &str) -> Result<IpNet, ConfigError> {
    let address = text.parse::<IpAddr>().ok().map(IpNet::from);
    let network = || text.parse::<IpNet>().ok().filter(|network| network.trunc() == *network);
    address.or_else(network).ok_or_else(|| {
        ConfigError::wrong(
            NAME,
            format!("{text:?} is not an address or network such as 127.0.0.1 or 10.0.0.0/8"),
        )
    })
}
