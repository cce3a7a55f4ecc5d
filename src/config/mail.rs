//! How mails leave.

use std::net::IpAddr;
use std::path::PathBuf;

use lettre::message::Mailbox;
use percent_encoding::percent_decode_str;
use secrecy::{ExposeSecret, SecretString};
use url::{Host, Url};

use super::{ConfigError, Environment};

const SMTP_URL: &str = "SMTP_URL";
const MAIL_FROM: &str = "DOCUVAULT_MAIL_FROM";
const EXPECTED: &str =
    "the URL of a mail server, such as smtps://user:password@mail.example.com or smtp://127.0.0.1:25";

/// `SMTP_URL` and `DOCUVAULT_MAIL_FROM`.
#[derive(Clone, Debug)]
pub struct MailConfig {
    /// Whom mails are from; by default `docuvault@` the host name of the public URL.
    pub from: Mailbox,
    pub route: MailRoute,
}

/// Where mails go.
#[derive(Clone, Debug)]
pub enum MailRoute {
    /// `SMTP_URL`.
    Smtp(SmtpConfig),
    /// Each into a file of its own in this directory, for whoever runs the vault to read: a standalone vault without `SMTP_URL`.
    Directory(PathBuf),
    /// Nowhere: they wait until `SMTP_URL` is set.
    Nowhere,
}

/// A mail server that takes mails from us.
#[derive(Clone, Debug)]
pub struct SmtpConfig {
    pub host: String,
    pub port: u16,
    pub encryption: SmtpEncryption,
    pub login: Option<SmtpLogin>,
}

/// How the connection is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SmtpEncryption {
    /// `smtps://`: from the first byte.
    Implicit,
    /// `smtp://` with a password: by STARTTLS, or nothing is sent.
    Required,
    /// `smtp://` without one: by STARTTLS where the server offers it.
    Offered,
    /// `smtp://` on this machine.
    None,
}

/// An account at the mail server.
#[derive(Clone, Debug)]
pub struct SmtpLogin {
    pub user: String,
    pub password: SecretString,
}

impl MailConfig {
    pub fn from_env(environment: &Environment, public_url: &Url) -> Result<Self, ConfigError> {
        let route = match environment.secret(SMTP_URL)? {
            Some(url) => MailRoute::Smtp(SmtpConfig::parse(url.expose_secret())?),
            None => MailRoute::Nowhere,
        };
        let from = environment.text(MAIL_FROM).unwrap_or_else(|| default_from(public_url));
        let wrong = |_| {
            let expected = "an address such as Vault <vault@example.com>";
            ConfigError::wrong(MAIL_FROM, format!("{from:?} is not {expected}"))
        };
        Ok(Self { from: from.parse().map_err(wrong)?, route })
    }
}

/// A number is no host for an address: `docuvault@localhost` will do on the machine itself.
fn default_from(public_url: &Url) -> String {
    let named = |name: &str| format!("DocuVault <docuvault@{name}>");
    match public_url.host() {
        Some(Host::Domain(name)) if named(name).parse::<Mailbox>().is_ok() => named(name),
        _ => named("localhost"),
    }
}

impl SmtpConfig {
    /// Messages never show the URL: it may hold a password.
    fn parse(text: &str) -> Result<Self, ConfigError> {
        let wrong = || ConfigError::wrong(SMTP_URL, format!("it is not {EXPECTED}"));
        let url = Url::parse(text).map_err(|_| wrong())?;
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or_else(wrong)?;
        let host = host.trim_matches(['[', ']']);
        if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
            return Err(wrong());
        }
        let decoded = |text| Ok(percent_decode_str(text).decode_utf8().map_err(|_| wrong())?.into_owned());
        let login = match (url.username(), url.password()) {
            ("", None) => None,
            ("", Some(_)) | (_, None) => return Err(wrong()),
            (user, Some(password)) => {
                Some(SmtpLogin { user: decoded(user)?, password: decoded(password)?.into() })
            }
        };
        let (encryption, port) = match (url.scheme(), &login) {
            ("smtps", _) => (SmtpEncryption::Implicit, 465),
            ("smtp", _) if is_loopback(host) => (SmtpEncryption::None, 25),
            ("smtp", Some(_)) => (SmtpEncryption::Required, 587),
            ("smtp", None) => (SmtpEncryption::Offered, 25),
            _ => return Err(wrong()),
        };
        Ok(Self { host: host.to_owned(), port: url.port().unwrap_or(port), encryption, login })
    }
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}
