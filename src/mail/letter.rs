//! Makes a mail: once as plain text and once as HTML, in short lines of ASCII that travel as they are, so that a link stays
//! in one piece. The same whenever it is made: its date is the event's.

use std::time::SystemTime;

use chrono::{DateTime, Utc};
use lettre::Message;
use lettre::message::header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue};
use lettre::message::{Body, Mailbox, MultiPart, SinglePart};
use uuid::Uuid;

use super::Kind;
use super::words::Words;

/// Characters of a line of text, unless one word is longer.
const WIDTH: usize = 72;
const FOOTER: &str = "Your document vault wrote this mail. Nobody reads answers to it.";

/// What a mail tells.
pub(super) struct Letter {
    pub(super) kind: Kind,
    /// The event that it tells of, and when that happened.
    pub(super) event_id: Uuid,
    pub(super) at: DateTime<Utc>,
    /// Scheme, host and port.
    pub(super) vault: String,
    /// If it carries one.
    pub(super) link: Option<String>,
}

/// A piece of a letter.
enum Part {
    Paragraph(String),
    /// In a line of its own.
    Link(String),
}

impl Letter {
    pub(super) fn write(&self, from: &Mailbox, to: Mailbox) -> Result<Message, lettre::error::Error> {
        let automatic = HeaderName::new_from_ascii_str("Auto-Submitted");
        let (event_id, kind) = (self.event_id, self.kind.as_str());
        let parts = self.parts();
        let alternatives = MultiPart::alternative()
            .boundary(format!("part-of-{event_id}"))
            .singlepart(part(ContentType::TEXT_PLAIN, &text(&parts)))
            .singlepart(part(ContentType::TEXT_HTML, &html(Words::of(self.kind).subject, &parts)));
        Message::builder()
            .from(from.clone())
            .to(to)
            .subject(Words::of(self.kind).subject)
            .date(SystemTime::from(self.at))
            .message_id(Some(format!("<{event_id}.{kind}@{}>", from.email.domain())))
            .raw_header(HeaderValue::new(automatic, "auto-generated".into()))
            .multipart(alternatives)
    }

    fn parts(&self) -> Vec<Part> {
        let Words { news, link, advice, .. } = Words::of(self.kind);
        let time = |at: DateTime<Utc>| at.format("%Y-%m-%d %H:%M UTC");
        let mut parts = vec![
            Part::Paragraph("Hello,".into()),
            Part::Paragraph(format!("This is about the document vault at {}", self.vault)),
            Part::Paragraph(format!("{}: {news}", time(self.at))),
        ];
        if let (Some(url), Some(purpose)) = (&self.link, self.kind.purpose()) {
            let until = time(self.at + purpose.time());
            parts.push(Part::Paragraph(format!("{link} It is good once, until {until}.")));
            parts.push(Part::Link(url.clone()));
        }
        parts.extend([Part::Paragraph(advice.into()), Part::Paragraph(FOOTER.into())]);
        parts
    }
}

/// Sent as it is: an encoding would break the line of a link.
fn part(content_type: ContentType, text: &str) -> SinglePart {
    let lines = text.replace('\n', "\r\n").into_bytes();
    let body = Body::dangerous_pre_encoded(lines, ContentTransferEncoding::SevenBit);
    SinglePart::builder().header(content_type).body(body)
}

fn text(parts: &[Part]) -> String {
    let pieces: Vec<String> = parts
        .iter()
        .map(|part| match part {
            Part::Paragraph(text) => wrap(text),
            Part::Link(url) => url.clone(),
        })
        .collect();
    pieces.join("\n\n") + "\n"
}

/// Nothing from anywhere else, and nothing to look at but the words.
fn html(subject: &str, parts: &[Part]) -> String {
    let pieces: Vec<String> = parts
        .iter()
        .map(|part| match part {
            Part::Paragraph(text) => format!("<p>\n{}\n</p>", wrap(&escape(text))),
            Part::Link(url) => format!("<p>\n<a href=\"{0}\">\n{0}\n</a>\n</p>", escape(url)),
        })
        .collect();
    let head =
        format!("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<title>{}</title>\n</head>", escape(subject));
    format!("{head}\n<body>\n{}\n</body>\n</html>\n", pieces.join("\n"))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn wrap(text: &str) -> String {
    let (mut lines, mut width) = (String::with_capacity(text.len()), 0);
    for word in text.split_whitespace() {
        let gap = usize::from(width > 0);
        if gap == 1 && width + gap + word.len() > WIDTH {
            lines.push('\n');
            width = 0;
        } else if gap == 1 {
            lines.push(' ');
            width += gap;
        }
        lines.push_str(word);
        width += word.len();
    }
    lines
}
