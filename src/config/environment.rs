//! Names and values, wherever they came from: the process environment, an `--env-file` over it, or a test.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::Context;
use secrecy::SecretString;
use url::Url;

use super::ConfigError;

/// The variables of one start. Later ones win; an empty value counts as unset.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// The variables of this process.
    pub fn of_process() -> Self {
        std::env::vars_os()
            .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
            .collect()
    }

    /// Reads lines of `NAME=value`, taken as they are (no quotes, no expansion); blank lines and `#` comments
    /// are skipped.
    pub fn read_file(path: &Path) -> anyhow::Result<Self> {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let mut variables = Self::default();
        for (number, line) in text.lines().enumerate() {
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            let (name, value) = line
                .split_once('=')
                .with_context(|| format!("{}, line {}: expected NAME=value", path.display(), number + 1))?;
            variables.set(name.trim(), value.trim());
        }
        Ok(variables)
    }

    /// Gives a variable a value. `NAME` and `NAME_FILE` are two ways to say the same, so one replaces the other.
    pub fn set(&mut self, name: &str, value: &str) {
        self.0.remove(&format!("{name}_FILE"));
        if let Some(inline) = name.strip_suffix("_FILE") {
            self.0.remove(inline);
        }
        self.0.insert(name.to_owned(), value.to_owned());
    }

    /// These variables, with `winners` over them.
    #[must_use]
    pub fn overlaid_with(mut self, winners: &Self) -> Self {
        for (name, value) in &winners.0 {
            self.set(name, value);
        }
        self
    }

    /// These variables without those that `unwanted` picks by name.
    #[must_use]
    pub fn without(mut self, unwanted: impl Fn(&str) -> bool) -> Self {
        self.0.retain(|name, _| !unwanted(name));
        self
    }

    /// Name and value of each, ordered by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    pub(crate) fn text(&self, name: &str) -> Option<String> {
        self.0.get(name).filter(|value| !value.is_empty()).cloned()
    }

    pub(super) fn required(&self, name: &'static str, expected: &'static str) -> Result<String, ConfigError> {
        self.text(name).ok_or(ConfigError::Missing { name, expected })
    }

    /// A secret given inline or, as containers do it, by the name of a file in `NAME_FILE`.
    pub(super) fn secret(&self, name: &str) -> Result<Option<SecretString>, ConfigError> {
        if let Some(value) = self.text(name) {
            return Ok(Some(value.into()));
        }
        let file_variable = format!("{name}_FILE");
        let Some(path) = self.text(&file_variable) else { return Ok(None) };
        let content = std::fs::read_to_string(&path)
            .map_err(|error| ConfigError::wrong(file_variable, format!("cannot read {path}: {error}")))?;
        Ok(Some(content.trim_end_matches(['\r', '\n']).into()))
    }

    pub(super) fn required_secret(
        &self,
        name: &'static str,
        expected: &'static str,
    ) -> Result<SecretString, ConfigError> {
        self.secret(name)?.ok_or(ConfigError::Missing { name, expected })
    }

    pub(crate) fn address(&self, name: &str, default: &str) -> Result<SocketAddr, ConfigError> {
        let text = self.text(name).unwrap_or_else(|| default.to_owned());
        text.parse().map_err(|_| {
            ConfigError::wrong(name, format!("{text:?} is not an address and port such as {default}"))
        })
    }

    pub(super) fn http_url(&self, name: &str) -> Result<Option<Url>, ConfigError> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let wrong = |reason: &str| ConfigError::wrong(name, format!("{text:?} {reason}"));
        let url = Url::parse(&text).map_err(|error| wrong(&format!("is not a URL: {error}")))?;
        if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
            return Err(wrong("is not an http or https URL"));
        }
        if !url.username().is_empty() || url.password().is_some() || url.query().is_some() {
            return Err(ConfigError::wrong(name, "the URL must not carry a user, a password or a query"));
        }
        Ok(Some(url))
    }
}

impl FromIterator<(String, String)> for Environment {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(pairs: I) -> Self {
        Self(pairs.into_iter().collect())
    }
}
