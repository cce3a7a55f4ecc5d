//! DATA/env: ports and secrets of this vault, kept over restarts and usable by every other command.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use anyhow::Context;

use crate::config::Environment;
use crate::private_file;

use super::data_directory::DataDirectory;

const HEADER: &str =
    "# Written by `docuvault standalone` at each start. Use it with --env-file; it holds secrets.\n";
const BUCKET: &str = "docuvault";
const REGION: &str = "us-east-1";
/// As `deploy/nats-server.conf` names them.
const NATS_CLIENTS: [&str; 4] = ["relay", "audit", "classification", "notification"];
/// Enough entropy (192 bits) that nobody guesses it; hex, so that it needs no escaping in a URL.
const SECRET_BYTES: usize = 24;

/// What stands in DATA/env, and what shall stand there after this start.
pub(super) struct Settings {
    variables: Environment,
    app_password: String,
    migrate_password: String,
    nats: NatsPasswords,
}

/// The logins of nats-server: the shared one of `NATS_URL`, and one for each client.
pub(super) struct NatsPasswords {
    pub(super) shared: String,
    pub(super) own: Vec<(&'static str, String)>,
}

impl Settings {
    /// Reads DATA/env; what is missing in it is made anew.
    pub(super) fn load(data: &DataDirectory) -> anyhow::Result<Self> {
        let path = data.env_file();
        let mut variables =
            if path.exists() { Environment::read_file(&path)? } else { Environment::default() };
        variables.set("S3_REGION", REGION);
        variables.set("S3_BUCKET", BUCKET);
        for name in ["S3_ACCESS_KEY_ID", "S3_SECRET_ACCESS_KEY"] {
            if variables.text(name).is_none() {
                variables.set(name, &random_secret()?);
            }
        }
        Ok(Self {
            app_password: password_in(&variables, "DATABASE_URL").map_or_else(random_secret, Ok)?,
            migrate_password: password_in(&variables, "DATABASE_MIGRATE_URL")
                .map_or_else(random_secret, Ok)?,
            nats: NatsPasswords::load(&variables)?,
            variables,
        })
    }

    /// Writes DATA/env, whole or not at all. The address of the figures is a comment: another process that
    /// reads the file must not try to listen there as well.
    pub(super) fn save(&self, data: &DataDirectory, metrics: SocketAddr) -> anyhow::Result<()> {
        let lines = self.variables.iter().map(|(name, value)| format!("{name}={value}\n"));
        let content: String = [HEADER.to_owned(), format!("# DOCUVAULT_METRICS_LISTEN={metrics}\n")]
            .into_iter()
            .chain(lines)
            .collect();
        let path = data.env_file();
        private_file::replace(&path, &content).with_context(|| format!("cannot write {}", path.display()))
    }

    pub(super) fn environment(&self) -> &Environment {
        &self.variables
    }

    pub(super) fn set(&mut self, name: &str, value: &str) {
        self.variables.set(name, value);
    }

    /// The port of the private PostgreSQL at its last start.
    pub(super) fn postgres_port(&self) -> Option<u16> {
        url::Url::parse(&self.variables.text("DATABASE_URL")?).ok()?.port()
    }

    /// The address of the S3 endpoint at its last start.
    pub(super) fn s3_address(&self) -> Option<SocketAddr> {
        self.variables.text("S3_ENDPOINT")?.strip_prefix("http://")?.parse().ok()
    }

    /// Writes both database URLs for the port that PostgreSQL now has.
    pub(super) fn set_postgres_port(&mut self, port: u16) {
        let url =
            |[role, password]: [&str; 2]| format!("postgres://{role}:{password}@127.0.0.1:{port}/docuvault");
        let (app, migrate) = (url(self.app_login()), url(self.migrate_login()));
        self.set("DATABASE_URL", &app);
        self.set("DATABASE_MIGRATE_URL", &migrate);
    }

    /// The port of nats-server at its last start.
    pub(super) fn nats_port(&self) -> Option<u16> {
        url::Url::parse(&self.variables.text("NATS_URL")?).ok()?.port()
    }

    /// Writes `NATS_URL` and `NATS_CREDENTIALS` for the port that nats-server now has.
    pub(super) fn set_nats_port(&mut self, port: u16) {
        let url = format!("nats://docuvault:{}@127.0.0.1:{port}", self.nats.shared);
        let own = self.nats.own.iter().map(|(client, password)| format!("{client}:{password}"));
        let credentials = own.collect::<Vec<_>>().join(",");
        self.set("NATS_URL", &url);
        self.set("NATS_CREDENTIALS", &credentials);
    }

    pub(super) fn nats_passwords(&self) -> &NatsPasswords {
        &self.nats
    }

    /// Role and password of `DATABASE_URL`.
    pub(super) fn app_login(&self) -> [&str; 2] {
        ["docuvault_app", &self.app_password]
    }

    /// Role and password of `DATABASE_MIGRATE_URL`.
    pub(super) fn migrate_login(&self) -> [&str; 2] {
        ["docuvault_migrate", &self.migrate_password]
    }
}

impl NatsPasswords {
    fn load(variables: &Environment) -> anyhow::Result<Self> {
        // A letter in front: nats-server takes a value that looks like a number for one.
        let new = || Ok::<_, anyhow::Error>(format!("p{}", random_secret()?));
        let kept = variables.text("NATS_CREDENTIALS").unwrap_or_default();
        let kept: BTreeMap<&str, &str> = kept.split(',').filter_map(|login| login.split_once(':')).collect();
        let password = |client| kept.get(client).map_or_else(new, |password| Ok((*password).to_owned()));
        let own = NATS_CLIENTS.iter().map(|&client| Ok((client, password(client)?)));
        Ok(Self {
            shared: password_in(variables, "NATS_URL").map_or_else(new, Ok)?,
            own: own.collect::<anyhow::Result<_>>()?,
        })
    }
}

fn password_in(variables: &Environment, name: &str) -> Option<String> {
    url::Url::parse(&variables.text(name)?).ok()?.password().map(str::to_owned)
}

/// A new secret from the operating system.
pub(super) fn random_secret() -> anyhow::Result<String> {
    let mut bytes = [0; SECRET_BYTES];
    getrandom::fill(&mut bytes).context("the operating system gives no randomness")?;
    Ok(hex::encode(bytes))
}
