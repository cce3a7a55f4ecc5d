//! A wire that can be cut: between a process and a server, or between clients and the object store.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What happens to the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Pass,
    /// Connections break, and no new one comes about.
    Cut,
    /// Connections stay, new ones are taken, and nothing passes. They break when the mode ends.
    HalfOpen,
    /// Everything takes this much longer, each way.
    Slow(Duration),
    /// The next so many answers are lost, their connections with them; the requests were delivered.
    LostReply(u32),
    /// Each answer breaks off after so many bytes.
    Truncated(usize),
}

/// A listening end, and the server behind it.
pub(crate) struct Link {
    pub(crate) address: SocketAddr,
    mode: watch::Sender<Mode>,
    to_lose: Arc<AtomicU32>,
    server: JoinHandle<()>,
}

impl Link {
    pub(crate) async fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (mode, modes) = watch::channel(Mode::Pass);
        let to_lose = Arc::new(AtomicU32::new(0));
        let lose = to_lose.clone();
        let server = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carry(client, target, modes.clone(), lose.clone()));
            }
        });
        Self { address, mode, to_lose, server }
    }

    pub(crate) fn set(&self, mode: Mode) {
        self.to_lose.store(if let Mode::LostReply(count) = mode { count } else { 0 }, Ordering::SeqCst);
        self.mode.send_replace(mode);
    }

    /// Answers that are still to be lost.
    pub(crate) fn still_to_lose(&self) -> u32 {
        self.to_lose.load(Ordering::SeqCst)
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// One connection. Whoever of both ends it, ends it for both.
async fn carry(
    mut client: TcpStream,
    target: SocketAddr,
    mut mode: watch::Receiver<Mode>,
    to_lose: Arc<AtomicU32>,
) {
    if *mode.borrow_and_update() == Mode::HalfOpen {
        drop(mode.changed().await);
        return;
    }
    let Ok(mut server) = TcpStream::connect(target).await else { return };
    drop((client.set_nodelay(true), server.set_nodelay(true)));
    let (mut up, mut down) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
    // Since the mode began.
    let (mut asked, mut answered) = (false, 0);
    loop {
        let now = *mode.borrow_and_update();
        match now {
            Mode::Cut => return,
            Mode::HalfOpen => {
                drop(mode.changed().await);
                return;
            }
            Mode::Pass | Mode::Slow(_) | Mode::LostReply(_) | Mode::Truncated(_) => {}
        }
        tokio::select! {
            changed = mode.changed() => {
                if changed.is_err() {
                    return;
                }
                (asked, answered) = (false, 0);
            }
            read = client.read(&mut up) => {
                let Some(length) = some(read) else { return };
                linger(now).await;
                if server.write_all(&up[..length]).await.is_err() {
                    return;
                }
                asked = true;
            }
            read = server.read(&mut down) => {
                let Some(length) = some(read) else { return };
                let mut passing = length;
                match now {
                    Mode::LostReply(_) if asked && take_one(&to_lose) => return,
                    Mode::Truncated(at) => passing = length.min(at.saturating_sub(answered)),
                    _ => linger(now).await,
                }
                answered += length;
                if client.write_all(&down[..passing]).await.is_err() || passing < length {
                    return;
                }
            }
        }
    }
}

/// Bytes that were read; `None`: this end is closed.
fn some(read: std::io::Result<usize>) -> Option<usize> {
    read.ok().filter(|length| *length > 0)
}

async fn linger(mode: Mode) {
    if let Mode::Slow(by) = mode {
        tokio::time::sleep(by).await;
    }
}

fn take_one(count: &AtomicU32) -> bool {
    count.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |count| count.checked_sub(1)).is_ok()
}
