//! Loading one long stream: a quota of many events, from its snapshot and, for comparison, from its events alone.

use std::sync::Arc;
use std::time::{Duration, Instant};

use aggregates::{Quota, QuotaCommand, UploadId};
use sqlx::{Connection, PgConnection};

use crate::drive::{Measured, closed_loop};
use crate::fixture::Server;
use crate::report::Report;
use crate::{ours, seed};

const EVENTS: u32 = 100_000;
/// Uploads reserved and settled in one append, two events each.
const AT_ONCE: u32 = 100;

pub(crate) async fn load(server: &Server, secs: Duration, report: &mut Report) -> anyhow::Result<Measured> {
    let ours = ours::open(server, 4).await?;
    let (store, owner) = (ours.store, ours.owners[0]);
    seed::quotas(&store, &[owner]).await?;
    for _ in 0..EVENTS / AT_ONCE / 2 {
        let settle = |_| {
            let upload_id = UploadId(store.clock().new_id());
            [QuotaCommand::Reserve { upload_id, bytes: 1000 }, QuotaCommand::Commit { upload_id }]
        };
        seed::quota(&store, owner, (0..AT_ONCE).flat_map(settle).collect()).await?;
    }
    let id: Arc<str> = owner.to_string().into();
    let mut admin = PgConnection::connect_with(&server.owner(ours::DATABASE)).await?;
    // The newest is written by now, or any moment.
    while sqlx::query_scalar::<_, i64>("SELECT coalesce(max(sequence), 0) FROM snapshots")
        .fetch_one(&mut admin)
        .await?
        < i64::from(EVENTS)
    {}
    let measured = closed_loop(1, secs, {
        let (store, id) = (store.clone(), Arc::clone(&id));
        move |_, _| {
            let (store, id) = (store.clone(), Arc::clone(&id));
            async move {
                store.load::<Quota>(&id).await?;
                Ok(())
            }
        }
    })
    .await?;
    sqlx::query("DELETE FROM snapshots").execute(&mut admin).await?;
    let started = Instant::now();
    store.load::<Quota>(&id).await?;
    report.note(format!(
        "a quota of {EVENTS} events without its snapshot: {} ms",
        started.elapsed().as_millis()
    ));
    Ok(measured)
}
