//! Mails. Whoever has something to tell somebody puts a row into the outbox, keyed by the event that it is about; a loop sends
//! what waits there. So nothing that happens waits for a mail server, and what comes twice is told once.
//!
//! A mail with a link is asked for by the statement that records why (`crate::auth::deliver`); the others by the notification
//! consumer. Address and link are put in when a mail is sent: a row tells neither.
//!
//! Sending is at least once: a process that dies between the server's answer and its note sends again, with the same
//! Message-ID and the same words, which mail programs show once.

mod kind;
mod letter;
mod outbox;
mod recipient;
mod sender;
#[cfg(test)]
mod tests;
mod transport;
mod words;

pub use kind::Kind;
pub use outbox::{Mail, enqueue};
pub use sender::run;

/// The name of the sending loop.
pub const NAME: &str = "mail";
