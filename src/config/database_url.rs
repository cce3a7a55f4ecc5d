//! A PostgreSQL connection URL whose password stays out of sight.

use std::fmt;
use std::str::FromStr;

use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::PgConnectOptions;

use super::{ConfigError, Environment};

const EXPECTED: &str = "a URL such as postgres://role:password@host:5432/docuvault";

/// A checked `postgres://` URL.
#[derive(Clone)]
pub struct DatabaseUrl(PgConnectOptions);

impl DatabaseUrl {
    /// `DATABASE_URL`: the application's role.
    pub fn application(environment: &Environment) -> Result<Self, ConfigError> {
        Self::read(environment, "DATABASE_URL")
    }

    /// `DATABASE_MIGRATE_URL`: the role that may change the schema.
    pub fn migrations(environment: &Environment) -> Result<Self, ConfigError> {
        Self::read(environment, "DATABASE_MIGRATE_URL")
    }

    /// For opening connections and pools. No statement of ours runs for as long as it would take to compile it.
    pub fn connect_options(&self) -> PgConnectOptions {
        self.0.clone().application_name("docuvault").options([("jit", "off")])
    }

    fn read(environment: &Environment, name: &'static str) -> Result<Self, ConfigError> {
        let url: SecretString = environment.required_secret(name, EXPECTED)?;
        let url = url.expose_secret();
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            return Err(ConfigError::wrong(name, format!("it is not {EXPECTED}")));
        }
        PgConnectOptions::from_str(url)
            .map(Self)
            .map_err(|_| ConfigError::wrong(name, format!("it cannot be parsed; expected {EXPECTED}")))
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "postgres://{}:[secret]@{}", self.0.get_username(), self.0.get_host())
    }
}
