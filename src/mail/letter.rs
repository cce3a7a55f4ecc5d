//! What mails say: plain text, without secrets and without names of documents.

use std::time::SystemTime;

use chrono::{DateTime, Utc};
use lettre::Message;
use lettre::message::Mailbox;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use url::Url;
use uuid::Uuid;

/// Which text a mail has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Somebody used a sign-in token that had been replaced: the session was ended.
    TokenReused,
}

impl Kind {
    /// Its name in the outbox. Never changes.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TokenReused => "token_reused",
        }
    }

    /// `None`: a newer release has written it.
    pub fn parse(name: &str) -> Option<Self> {
        (name == Self::TokenReused.as_str()).then_some(Self::TokenReused)
    }

    const fn subject(self) -> &'static str {
        match self {
            Self::TokenReused => "One of your sessions was ended for safety",
        }
    }

    fn text(self, at: DateTime<Utc>, vault: &Url) -> String {
        let (time, vault) = (at.format("%Y-%m-%d %H:%M UTC"), vault.as_str().trim_end_matches('/'));
        match self {
            Self::TokenReused => format!(
                "Hello,\n\n\
                 a session of your account at {vault} was ended on {time}, because an old sign-in\n\
                 token was used again. That happens when somebody has copied it, and sometimes when a browser was\n\
                 restored from a backup.\n\n\
                 If you know why it happened, just sign in again. If that was not you, change your password: all\n\
                 other sessions end with it.\n\n\
                 This mail was written by your document vault. Nobody reads answers to it.\n"
            ),
        }
    }
}

/// The whole mail, the same whenever it is made: its date is the event's.
pub(super) fn write(
    kind: Kind,
    event_id: Uuid,
    at: DateTime<Utc>,
    from: &Mailbox,
    to: Mailbox,
    vault: &Url,
) -> Result<Message, lettre::error::Error> {
    let automatic = HeaderName::new_from_ascii_str("Auto-Submitted");
    Message::builder()
        .from(from.clone())
        .to(to)
        .subject(kind.subject())
        .date(SystemTime::from(at))
        .message_id(Some(format!("<{event_id}@{}>", from.email.domain())))
        .raw_header(HeaderValue::new(automatic, "auto-generated".into()))
        .header(ContentType::TEXT_PLAIN)
        .body(kind.text(at, vault))
}
