//! What cannot be read as a request never reaches the router: hyper answers it by itself, with a bare status, and closes
//! the connection. On its way out such an answer is given the form that every error has.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use event_store::Clock;
use serde_json::json;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// A connection whose bare refusals become problem details.
pub(super) struct Refusals {
    stream: TcpStream,
    clock: Clock,
    /// What goes out instead of hyper's answer, and how long that one was.
    instead: Option<Instead>,
}

struct Instead {
    bytes: Vec<u8>,
    written: usize,
    replaces: usize,
}

impl Refusals {
    pub(super) const fn new(stream: TcpStream, clock: Clock) -> Self {
        Self { stream, clock, instead: None }
    }
}

/// The status of an answer that is hyper's own: ours all name the request.
fn bare_status(bytes: &[u8]) -> Option<&str> {
    let head = str::from_utf8(bytes).ok()?.strip_prefix("HTTP/1.1 ")?.strip_suffix("\r\n\r\n")?;
    let status = head.get(..3).filter(|status| ["400", "414", "431"].contains(status))?;
    (!head.contains("x-request-id:") && !head.contains("\r\n\r\n")).then_some(status)
}

/// Head and body.
fn problem(status: &str, clock: &Clock) -> Vec<u8> {
    let (title, detail) = match status {
        "414" => ("URI Too Long", "The address of the request is too long."),
        "431" => ("Request Header Fields Too Large", "The headers of a request have at most 16384 bytes."),
        _ => ("Bad Request", "This cannot be read as a request, or it contradicts itself."),
    };
    let id = clock.new_id();
    let body = json!({
        "type": "/problems/bad-request", "title": title, "status": status.parse::<u16>().unwrap_or(400),
        "detail": detail, "instance": "/", "request_id": id,
    });
    let body = body.to_string();
    let head = format!(
        "HTTP/1.1 {status} {title}\r\ncontent-type: application/problem+json\r\ncontent-length: {}\r\n\
         x-request-id: {id}\r\nx-content-type-options: nosniff\r\ncache-control: no-store\r\n\
         x-frame-options: DENY\r\nreferrer-policy: no-referrer\r\ncross-origin-opener-policy: same-origin\r\n\
         cross-origin-resource-policy: same-origin\r\n\
         content-security-policy: default-src 'none'; frame-ancestors 'none'; base-uri 'none'\r\n\
         connection: close\r\n\r\n",
        body.len()
    );
    (head + &body).into_bytes()
}

impl AsyncWrite for Refusals {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let Self { stream, clock, instead } = self.get_mut();
        if instead.is_none() {
            let Some(status) = bare_status(bytes) else { return Pin::new(stream).poll_write(cx, bytes) };
            *instead = Some(Instead { bytes: problem(status, clock), written: 0, replaces: bytes.len() });
        }
        while let Some(Instead { bytes, written, replaces }) = instead {
            if *written == bytes.len() {
                let replaced = *replaces;
                *instead = None;
                return Poll::Ready(Ok(replaced));
            }
            match ready!(Pin::new(&mut *stream).poll_write(cx, &bytes[*written..]))? {
                0 => break,
                more => *written += more,
            }
        }
        Poll::Ready(Ok(0))
    }

    /// A refusal has no body, and comes alone.
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match slices {
            [only] => self.poll_write(cx, only),
            _ => Pin::new(&mut self.stream).poll_write_vectored(cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl AsyncRead for Refusals {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}
