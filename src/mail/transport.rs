//! The last step: to a mail server, or into a file.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, anyhow};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use secrecy::ExposeSecret;

use super::letter::Letter;
use crate::config::{MailConfig, MailRoute, SmtpConfig, SmtpEncryption};
use crate::private_file;

/// How long one answer of the server may take.
const ANSWER_TIME: Duration = Duration::from_secs(20);

/// A way for mails to leave.
pub(super) enum Transport {
    Smtp(Box<AsyncSmtpTransport<Tokio1Executor>>),
    Directory(PathBuf),
}

impl Transport {
    /// `None`: there is no way. Nothing is connected yet.
    pub(super) fn new(config: &MailConfig) -> anyhow::Result<Option<Self>> {
        Ok(match &config.route {
            MailRoute::Smtp(server) => Some(Self::Smtp(Box::new(smtp(server, config.from.email.domain())?))),
            MailRoute::Directory(path) => Some(Self::Directory(path.clone())),
            MailRoute::Nowhere => None,
        })
    }

    /// Errors never name the recipient.
    pub(super) async fn send(&self, letter: &Letter, mail: Message) -> anyhow::Result<()> {
        match self {
            Self::Smtp(server) => server.send(mail).await.map(drop).map_err(|error| explain(&error)),
            Self::Directory(path) => {
                let Letter { event_id, kind, .. } = letter;
                let (directory, file) =
                    (path.clone(), path.join(format!("{event_id}.{}.eml", kind.as_str())));
                let write = move || {
                    private_file::make_directory(&directory)?;
                    private_file::replace(&file, mail.formatted())
                };
                let written = tokio::task::spawn_blocking(write).await?;
                written.with_context(|| format!("cannot write to {}", path.display()))
            }
        }
    }
}

fn smtp(server: &SmtpConfig, own_name: &str) -> anyhow::Result<AsyncSmtpTransport<Tokio1Executor>> {
    let parameters = || TlsParameters::new(server.host.clone()).context("SMTP_URL: TLS cannot be set up");
    let encryption = match server.encryption {
        SmtpEncryption::Implicit => Tls::Wrapper(parameters()?),
        SmtpEncryption::Required => Tls::Required(parameters()?),
        SmtpEncryption::Offered => Tls::Opportunistic(parameters()?),
        SmtpEncryption::None => Tls::None,
    };
    let mut transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(server.host.clone())
        .port(server.port)
        .tls(encryption)
        .hello_name(ClientId::Domain(own_name.to_owned()))
        .timeout(Some(ANSWER_TIME));
    if let Some(login) = &server.login {
        let password = login.password.expose_secret().to_owned();
        transport = transport.credentials(Credentials::new(login.user.clone(), password));
    }
    Ok(transport.build())
}

/// What a server answers often repeats the address: its code says enough.
fn explain(error: &lettre::transport::smtp::Error) -> anyhow::Error {
    match error.status() {
        Some(code) => anyhow!("the mail server answered {code}"),
        None if error.is_timeout() => anyhow!("the mail server does not answer in time"),
        None if error.is_tls() => anyhow!("the mail server cannot be trusted (TLS)"),
        None if error.is_client() => anyhow!("the mail server cannot do what SMTP_URL asks for: {error}"),
        None => anyhow!("the mail server is not reached: {error}"),
    }
}
