//! The web origins that browsers may call from.

use url::Url;

use super::{ConfigError, Environment};

const NAME: &str = "DOCUVAULT_CORS_ORIGINS";

pub(super) fn list_from_env(environment: &Environment) -> Result<Vec<String>, ConfigError> {
    let text = environment.text(NAME).unwrap_or_default();
    text.split(',').map(str::trim).filter(|origin| !origin.is_empty()).map(parse).collect()
}

/// An origin is scheme, host and port, nothing more; `*` would let every site act for the user.
fn parse(text: &str) -> Result<String, ConfigError> {
    Url::parse(text)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https"))
        .map(|url| url.origin().ascii_serialization())
        .filter(|origin| origin == text)
        .ok_or_else(|| {
            ConfigError::wrong(NAME, format!("{text:?} is not an origin such as https://vault.example.com"))
        })
}
