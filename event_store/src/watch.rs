//! Wake-up: LISTEN on a connection of its own, and a look at the log every second in case a NOTIFY got lost.

use std::time::Duration;

use sqlx::PgPool;
use sqlx::postgres::PgListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// How long a lost notification can go unnoticed.
const BACKSTOP: Duration = Duration::from_secs(1);
const RECONNECT_AFTER: Duration = Duration::from_millis(500);

/// The newest position that this process knows of. Moves only forward.
#[derive(Clone)]
pub struct LogHead(watch::Receiver<i64>);

impl LogHead {
    /// The newest known position.
    pub fn get(&self) -> i64 {
        *self.0.borrow()
    }

    /// Waits until the log is longer than `position`. False: the watch has ended.
    pub async fn beyond(&mut self, position: i64) -> bool {
        self.0.wait_for(|head| *head > position).await.is_ok()
    }
}

/// Watches the log until `stop`.
pub(crate) fn start(pool: PgPool, stop: CancellationToken) -> LogHead {
    let (sender, receiver) = watch::channel(0);
    tokio::spawn(async move {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                Err(error) = listen(&pool, &sender) => tracing::warn!(%error, "watching the log was interrupted"),
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(RECONNECT_AFTER) => {}
            }
        }
    });
    LogHead(receiver)
}

async fn listen(pool: &PgPool, sender: &watch::Sender<i64>) -> Result<std::convert::Infallible, sqlx::Error> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen("docuvault_log").await?;
    loop {
        let head = sqlx::query_scalar!(r#"SELECT coalesce(max(position), 0) AS "head!" FROM events"#);
        advance(sender, head.fetch_one(pool).await?);
        while let Ok(notification) = tokio::time::timeout(BACKSTOP, listener.recv()).await {
            if let Ok(head) = notification?.payload().parse() {
                advance(sender, head);
            }
        }
    }
}

fn advance(sender: &watch::Sender<i64>, head: i64) {
    sender.send_if_modified(|known| {
        let newer = head > *known;
        if newer {
            *known = head;
        }
        newer
    });
}
