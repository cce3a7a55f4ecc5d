//! A read model built anew from the whole log, beside the least that PostgreSQL could do with the same events: hand them
//! out (COPY), and aggregate them into the same table with the same indexes by one statement, which opens nothing.

use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, ensure};
use event_store::EventStore;
use futures::TryStreamExt;
use projections::document_listing::DocumentListing;
use projections::{Holder, Rebuild};
use sqlx::{Connection, PgConnection};

use crate::backlog::Backlog;
use crate::drive::Measured;
use crate::fixture::Server;
use crate::ours::DATABASE;

const NAME: &str = "document_listing";

/// Sealed names stay sealed, and nothing is said of documents that are gone: less than what the fold does.
const AGGREGATION: &str = "INSERT INTO sql_listing (generation, document_id, owner_id, name, sort_name, content_type, size,
    sha256, status, version, created_at, updated_at, uploaded_at, upload_id, object_key, sniffed_type, derived_key,
    expires_at, position, revision)
SELECT 1, aggregate_id::uuid, (request->>'owner_id')::uuid, name, lower(name), request->>'content_type',
    coalesce((completed->>'bytes')::bigint, (request->>'size')::bigint), request->'content_hash'->'sha256'->>'sealed',
    CASE last WHEN 'UploadRequested' THEN 'pending' WHEN 'DocumentTrashed' THEN 'trashed' ELSE 'active' END,
    coalesce((completed->>'version')::integer, 1), created_at, updated_at, uploaded_at,
    (request->>'upload_id')::uuid, request->>'object_key', inspected->>'content_type',
    inspected->'inspection'->'text_extracted'->>'key', (request->>'expires_at')::timestamptz, position, revision
FROM (
    SELECT aggregate_id, min(recorded_at) AS created_at, max(position) AS position,
        max(recorded_at) FILTER (WHERE event_type <> 'DocumentInspected') AS updated_at,
        max(recorded_at) FILTER (WHERE event_type = 'UploadCompleted') AS uploaded_at,
        count(*) FILTER (WHERE event_type <> 'DocumentInspected') AS revision,
        (array_agg(payload->'UploadRequested') FILTER (WHERE event_type = 'UploadRequested'))[1] AS request,
        (array_agg(payload->'UploadCompleted') FILTER (WHERE event_type = 'UploadCompleted'))[1] AS completed,
        (array_agg(payload->'DocumentInspected') FILTER (WHERE event_type = 'DocumentInspected'))[1] AS inspected,
        (array_agg(payload->event_type->'name'->>'sealed' ORDER BY sequence DESC)
            FILTER (WHERE event_type IN ('UploadRequested', 'DocumentRenamed')))[1] AS name,
        (array_agg(event_type ORDER BY sequence DESC)
            FILTER (WHERE event_type NOT IN ('DocumentInspected', 'DocumentRenamed')))[1] AS last
    FROM events WHERE aggregate_type = 'document' GROUP BY aggregate_id) AS documents";

/// The events as they are stored, to a client that throws them away.
pub(crate) async fn copy(server: &Server, events: i64) -> anyhow::Result<Measured> {
    let mut admin = PgConnection::connect_with(&server.owner(DATABASE)).await?;
    let started = Instant::now();
    let mut rows = admin.copy_out_raw("COPY (SELECT * FROM events ORDER BY position) TO STDOUT").await?;
    let mut bytes = 0;
    while let Some(part) = rows.try_next().await? {
        bytes += part.len();
    }
    ensure!(bytes > 0, "nothing was copied");
    Ok(Measured::whole(events, started.elapsed()))
}

/// The same listing by SQL alone.
pub(crate) async fn aggregate(server: &Server, events: i64) -> anyhow::Result<Measured> {
    let mut admin = PgConnection::connect_with(&server.owner(DATABASE)).await?;
    sqlx::raw_sql("DROP TABLE IF EXISTS sql_listing").execute(&mut admin).await?;
    let table = "CREATE TABLE sql_listing (LIKE document_listing INCLUDING ALL)";
    sqlx::raw_sql(table).execute(&mut admin).await?;
    let started = Instant::now();
    sqlx::raw_sql(AGGREGATION).execute(&mut admin).await?;
    let measured = Measured::whole(events, started.elapsed());
    sqlx::raw_sql("DROP TABLE sql_listing").execute(&mut admin).await?;
    Ok(measured)
}

/// From the first event to the swap.
pub(crate) async fn online(server: &Server, backlog: &Backlog, events: i64) -> anyhow::Result<Measured> {
    backlog.forget(server).await?;
    let store: &EventStore = &backlog.ours.store;
    let started = Instant::now();
    ensure!(Rebuild::begin(store.pool(), &DocumentListing, None).await?, "a rebuild is under way");
    let rebuild = Rebuild::find(store.pool(), NAME).await?.context("it has not begun")?;
    let holder = Holder::new(store.clock(), true);
    let drive = rebuild.take_up(store, Arc::new(DocumentListing), holder).await?;
    let mut drive = drive.context("somebody else drives it")?;
    drive.build().await?;
    drive.swap().await?;
    Ok(Measured::whole(events, started.elapsed()))
}
