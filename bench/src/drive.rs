//! A closed loop: `concurrency` workers, each starting its next operation when the last one is done. An open one:
//! operations begin at a fixed rate, whatever becomes of those before.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use tokio::task::JoinSet;

const WARM_UP: Duration = Duration::from_secs(1);

/// What one measurement gave.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measured {
    /// Operations per second.
    pub rate: f64,
    /// `None`: only the whole was timed.
    pub latency: Option<Latency>,
}

/// How long operations took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Latency {
    pub p50: Duration,
    pub p95: Duration,
    pub p99: Duration,
}

impl Measured {
    /// From the latencies of all operations that ended within `secs`.
    pub(crate) fn of(mut latencies: Vec<Duration>, secs: Duration) -> anyhow::Result<Self> {
        latencies.sort_unstable();
        let at = |percent: usize| latencies.get(latencies.len().saturating_sub(1) * percent / 100).copied();
        let ((p50, p95), p99) = at(50).zip(at(95)).zip(at(99)).context("nothing was measured")?;
        #[expect(clippy::cast_precision_loss, reason = "a count of operations")]
        let rate = latencies.len() as f64 / secs.as_secs_f64();
        Ok(Self { rate, latency: Some(Latency { p50, p95, p99 }) })
    }

    /// Of `count` things that took `time` together.
    pub(crate) fn whole(count: i64, time: Duration) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "a count of events")]
        let rate = count as f64 / time.as_secs_f64();
        Self { rate, latency: None }
    }
}

/// Runs `operation(worker, n)` over and over for a second of warm-up and `secs`.
pub(crate) async fn closed_loop<F, O>(
    concurrency: usize,
    secs: Duration,
    operation: F,
) -> anyhow::Result<Measured>
where
    F: Fn(usize, u64) -> O + Send + Sync + 'static,
    O: Future<Output = anyhow::Result<()>> + Send,
{
    let operation = Arc::new(operation);
    let begin = Instant::now() + WARM_UP;
    let end = begin + secs;
    let workers: Vec<_> = (0..concurrency)
        .map(|worker| {
            let operation = Arc::clone(&operation);
            tokio::spawn(async move {
                let mut latencies = Vec::new();
                for n in 0.. {
                    let started = Instant::now();
                    operation(worker, n).await?;
                    let ended = Instant::now();
                    if ended >= end {
                        break;
                    }
                    if ended >= begin {
                        latencies.push(ended - started);
                    }
                }
                anyhow::Ok(latencies)
            })
        })
        .collect();
    let mut latencies = Vec::new();
    for worker in workers {
        latencies.append(&mut worker.await??);
    }
    Measured::of(latencies, secs)
}

/// Begins `operation(n, due)` `rate` times a second until `enough` is done, and waits for all of them. Each answers what
/// counts as its latency.
pub(crate) async fn open_loop<F, O>(
    rate: u32,
    enough: impl Future<Output = anyhow::Result<()>>,
    operation: F,
) -> anyhow::Result<Measured>
where
    F: Fn(u64, Instant) -> O,
    O: Future<Output = anyhow::Result<Duration>> + Send + 'static,
{
    let begin = Instant::now();
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / rate);
    let (mut under_way, mut latencies) = (JoinSet::new(), Vec::new());
    let mut enough = std::pin::pin!(enough);
    for n in 0.. {
        tokio::select! {
            due = ticks.tick() => drop(under_way.spawn(operation(n, due.into_std()))),
            done = &mut enough => {
                done?;
                break;
            }
        }
    }
    let took = begin.elapsed();
    while let Some(ended) = under_way.join_next().await {
        latencies.push(ended??);
    }
    Measured::of(latencies, took)
}
