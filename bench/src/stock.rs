//! cqrs-es with stock postgres-es 0.5, as documented: `CqrsFramework::execute` on the same aggregate. It seals nothing.

use std::sync::Arc;
use std::time::Duration;

use aggregates::{Document, DocumentCommand, UserId};
use cqrs_es::AggregateError;
use event_store::Clock;
use postgres_es::{PostgresCqrs, postgres_cqrs};
use uuid::Uuid;

use crate::drive::{Measured, closed_loop};
use crate::fixture::{self, STREAMS, Server};
use crate::raw;

async fn open(server: &Server, concurrency: usize) -> anyhow::Result<Arc<PostgresCqrs<Document>>> {
    raw::open(server).await?;
    let pool = fixture::pool(server.owner("bench_raw"), concurrency).await?;
    Ok(Arc::new(postgres_cqrs(pool, vec![], ())))
}

pub(crate) async fn append(server: &Server, concurrency: usize, secs: Duration) -> anyhow::Result<Measured> {
    let (cqrs, clock) = (open(server, concurrency).await?, Clock::system());
    closed_loop(concurrency, secs, move |_, _| {
        let (cqrs, clock) = (Arc::clone(&cqrs), clock.clone());
        async move {
            let request = fixture::request(UserId(clock.new_id()), &clock)?;
            let command = DocumentCommand::RequestUpload(request);
            Ok(cqrs.execute(&clock.new_id().to_string(), command).await?)
        }
    })
    .await
}

pub(crate) async fn load_append(
    server: &Server,
    concurrency: usize,
    secs: Duration,
) -> anyhow::Result<Measured> {
    let cqrs = open(server, concurrency).await?;
    raw::seed(server).await?;
    closed_loop(concurrency, secs, move |worker, n| {
        let cqrs = Arc::clone(&cqrs);
        async move { rename(&cqrs, &raw::stream(rand::random_range(0..STREAMS)), worker, n).await }
    })
    .await
}

pub(crate) async fn hot(server: &Server, concurrency: usize, secs: Duration) -> anyhow::Result<Measured> {
    let cqrs = open(server, concurrency).await?;
    raw::seed(server).await?;
    closed_loop(concurrency, secs, move |worker, n| {
        let cqrs = Arc::clone(&cqrs);
        async move { rename(&cqrs, &raw::stream(0), worker, n).await }
    })
    .await
}

/// Renames until no other writer came first.
async fn rename(cqrs: &PostgresCqrs<Document>, id: &str, worker: usize, n: u64) -> anyhow::Result<()> {
    loop {
        let name = fixture::name(UserId(Uuid::nil()), n * 1000 + worker as u64 + 100)?;
        match cqrs.execute(id, DocumentCommand::Rename { name }).await {
            Err(AggregateError::AggregateConflict) => {}
            outcome => return Ok(outcome?),
        }
    }
}
