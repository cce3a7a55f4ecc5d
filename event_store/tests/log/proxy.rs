//! A TCP proxy in front of PostgreSQL that can lose replies: a request is forwarded, and the connection is cut before
//! the reply gets back.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use sqlx::postgres::PgConnectOptions;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

pub(crate) struct Proxy {
    port: u16,
    needle: &'static [u8],
    armed: AtomicUsize,
    lost: AtomicUsize,
    down: watch::Sender<bool>,
    refused: AtomicUsize,
}

impl Proxy {
    /// A proxy to where `options` leads. Requests that hold `needle` are those it can lose the reply of.
    pub(crate) async fn start(options: &PgConnectOptions, needle: &'static str) -> Arc<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let proxy = Arc::new(Self {
            port,
            needle: needle.as_bytes(),
            armed: AtomicUsize::new(0),
            lost: AtomicUsize::new(0),
            down: watch::Sender::new(false),
            refused: AtomicUsize::new(0),
        });
        let (server, accepting) = ((options.get_host().to_owned(), options.get_port()), proxy.clone());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if *accepting.down.borrow() {
                    accepting.refused.fetch_add(1, Ordering::SeqCst);
                } else {
                    tokio::spawn(accepting.clone().carry(client, server.clone()));
                }
            }
        });
        proxy
    }

    pub(crate) fn lead(&self, options: PgConnectOptions) -> PgConnectOptions {
        options.host("127.0.0.1").port(self.port)
    }

    /// The replies to the next `count` matching requests will be lost.
    pub(crate) fn lose(&self, count: usize) {
        self.armed.store(count, Ordering::SeqCst);
    }

    /// How many replies have been lost.
    pub(crate) fn lost(&self) -> usize {
        self.lost.load(Ordering::SeqCst)
    }

    /// Cuts every connection and takes no new ones, until it is up again.
    pub(crate) fn set_down(&self, down: bool) {
        self.down.send_replace(down);
    }

    /// How many connections have been refused while it was down.
    pub(crate) fn refused(&self) -> usize {
        self.refused.load(Ordering::SeqCst)
    }

    async fn carry(self: Arc<Self>, mut client: TcpStream, server: (String, u16)) {
        let mut server = TcpStream::connect(server).await.unwrap();
        let (mut request, mut reply) = (vec![0; 1 << 16], vec![0; 1 << 16]);
        let mut down = self.down.subscribe();
        loop {
            tokio::select! {
                () = cut(&mut down) => return,
                read = client.read(&mut request) => {
                    let Ok(count @ 1..) = read else { return };
                    let matches = request[..count].windows(self.needle.len()).any(|bytes| bytes == self.needle);
                    if server.write_all(&request[..count]).await.is_err() {
                        return;
                    }
                    if matches && self.take() {
                        // The server has done its work once it answers; nobody hears of it.
                        let _ = server.read(&mut reply).await;
                        self.lost.fetch_add(1, Ordering::SeqCst);
                        return;
                    }
                }
                read = server.read(&mut reply) => {
                    let Ok(count @ 1..) = read else { return };
                    if client.write_all(&reply[..count]).await.is_err() {
                        return;
                    }
                }
            }
        }
    }

    fn take(&self) -> bool {
        self.armed.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |count| count.checked_sub(1)).is_ok()
    }
}

async fn cut(down: &mut watch::Receiver<bool>) {
    drop(down.wait_for(|down| *down).await);
}
