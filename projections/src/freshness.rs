//! Read-your-writes: a request waits until the read models have seen its events. One LISTEN serves a whole process,
//! and a look at the checkpoints every second catches lost notifications.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use sqlx::PgPool;
use sqlx::postgres::PgListener;
use tokio::sync::watch;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

/// How long a lost notification can go unnoticed.
const BACKSTOP: Duration = Duration::from_secs(1);
const RECONNECT_AFTER: Duration = Duration::from_millis(500);

/// How far the subscriptions of all processes have come. Cheap to clone.
#[derive(Clone)]
pub struct Freshness {
    standings: watch::Receiver<Vec<Standing>>,
    /// Those that are waited for.
    names: Arc<[&'static str]>,
}

struct Standing {
    name: &'static str,
    position: i64,
    /// Found stopped, or more than two seconds behind, when the log had this length: not waited for until it has
    /// come that far.
    excused_until: i64,
}

impl Freshness {
    /// Follows the checkpoints `names` until `stop`.
    pub fn start(pool: PgPool, names: &[&'static str], stop: CancellationToken) -> Self {
        let standings = names.iter().map(|name| Standing { name, position: 0, excused_until: 0 }).collect();
        let (sender, receiver) = watch::channel(standings);
        tokio::spawn(stop.run_until_cancelled_owned(async move {
            loop {
                let Err(error) = follow(&pool, &sender).await;
                tracing::warn!(%error, "watching the checkpoints was interrupted");
                tokio::time::sleep(RECONNECT_AFTER).await;
            }
        }));
        Self { standings: receiver, names: names.into() }
    }

    /// The same watch, for some of what it follows.
    #[must_use]
    pub fn of(&self, names: &[&'static str]) -> Self {
        Self { names: names.into(), ..self.clone() }
    }

    /// Waits until all have passed `position`, but not longer than `at_most`, and for none that is stopped or was
    /// more than two seconds behind before. Answers the names of those that are still behind.
    pub async fn wait(&self, position: i64, at_most: Duration) -> Vec<&'static str> {
        let mut standings = self.standings.clone();
        let waited_for = |one: &&Standing| self.names.contains(&one.name);
        let settled = |all: &Vec<Standing>| {
            all.iter()
                .filter(waited_for)
                .all(|one| one.position >= position || one.position < one.excused_until)
        };
        // Time is up, or the watch has ended: who is behind is answered either way.
        drop(timeout(at_most, standings.wait_for(settled)).await);
        let standings = standings.borrow();
        standings
            .iter()
            .filter(waited_for)
            .filter(|one| one.position < position)
            .map(|one| one.name)
            .collect()
    }
}

async fn follow(pool: &PgPool, sender: &watch::Sender<Vec<Standing>>) -> Result<Infallible, sqlx::Error> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen("docuvault_checkpoint").await?;
    loop {
        look(pool, sender).await?;
        let next_look = Instant::now() + BACKSTOP;
        while let Ok(notification) = timeout_at(next_look, listener.recv()).await {
            let notification = notification?;
            let news = notification.payload().split_once(' ');
            if let Some((name, Ok(position))) = news.map(|(name, position)| (name, position.parse())) {
                sender.send_modify(|all| {
                    for one in all.iter_mut().filter(|one| one.name == name) {
                        one.position = one.position.max(position);
                    }
                });
            }
        }
    }
}

/// Reads every checkpoint, and by the database's clock which of them are late.
async fn look(pool: &PgPool, sender: &watch::Sender<Vec<Standing>>) -> Result<(), sqlx::Error> {
    let names: Vec<String> = sender.borrow().iter().map(|one| one.name.into()).collect();
    let rows = sqlx::query!(
        r#"SELECT name AS "name!", coalesce(position, 0) AS "position!",
                  CASE WHEN error IS NOT NULL OR late THEN head ELSE 0 END AS "excused_until!"
           FROM unnest($1::text[]) AS wanted(name)
           LEFT JOIN serving_projections USING (name)
           LEFT JOIN checkpoints USING (name, generation)
           CROSS JOIN (SELECT coalesce(max(position), 0) AS head FROM events) log
           CROSS JOIN LATERAL (SELECT EXISTS (
               SELECT FROM events next WHERE next.position = coalesce(checkpoints.position, 0) + 1
               AND next.recorded_at < clock_timestamp() - interval '2 seconds') AS late) clock"#,
        &names
    )
    .fetch_all(pool)
    .await?;
    sender.send_modify(|all| {
        for row in rows {
            for one in all.iter_mut().filter(|one| one.name == row.name) {
                one.position = one.position.max(row.position);
                one.excused_until = row.excused_until;
            }
        }
    });
    Ok(())
}
