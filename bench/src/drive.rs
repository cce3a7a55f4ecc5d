//! A closed loop: `concurrency` workers, each starting its next operation when the last one is done.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;

const WARM_UP: Duration = Duration::from_secs(1);

/// What one measurement gave.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measured {
    /// Operations per second.
    pub rate: f64,
    pub p50: Duration,
    pub p99: Duration,
}

impl Measured {
    /// From the latencies of all operations that ended within `secs`.
    pub(crate) fn of(mut latencies: Vec<Duration>, secs: Duration) -> anyhow::Result<Self> {
        latencies.sort_unstable();
        let at = |percent: usize| latencies.get(latencies.len().saturating_sub(1) * percent / 100).copied();
        let (p50, p99) = at(50).zip(at(99)).context("nothing was measured")?;
        #[expect(clippy::cast_precision_loss, reason = "a count of operations")]
        let rate = latencies.len() as f64 / secs.as_secs_f64();
        Ok(Self { rate, p50, p99 })
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
