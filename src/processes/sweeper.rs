//! Finds what nobody knows of any more: objects and unfinished multipart uploads that a crash left in the bucket, and
//! the outcomes of old commands; and what has expired. Only what is older than any upload under way is looked at, and
//! whether a document needs an object is asked of the log itself: no read model may cost anybody their bytes.

use std::collections::HashSet;
use std::time::Duration;

use aggregates::Document;
use aggregates::document::{Inspection, Stage};
use chrono::{DateTime, TimeDelta, Utc};
use event_store::EventStore;
use projections::document_listing;
use tokio::time::interval;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::Parts;
use crate::auth::api_token;
use crate::auth::attempts::Attempts;
use crate::auth::link;
use crate::blobs::{Blobs, ListedObject};
use crate::documents::{keys, texts};

pub(super) const NAME: &str = "sweeper";

const EVERY: Duration = Duration::from_hours(1);

/// How old something is before it is swept. An upload is open for 24 hours, so younger things may be needed yet.
#[derive(Clone, Copy, Debug)]
pub struct Ages {
    pub staged: TimeDelta,
    pub multipart: TimeDelta,
    pub object: TimeDelta,
}

impl Default for Ages {
    /// A day, and two hours of grace for slow clients and clocks.
    fn default() -> Self {
        let age = TimeDelta::hours(26);
        Self { staged: age, multipart: age, object: age }
    }
}

/// What one sweep removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    pub objects: usize,
    pub multiparts: usize,
    pub texts: usize,
    pub outcomes: u64,
    pub attempts: u64,
    pub tokens: u64,
    pub links: u64,
}

pub(super) async fn run(parts: Parts, stop: CancellationToken) {
    let mut ticks = interval(EVERY);
    let forever = async {
        loop {
            ticks.tick().await;
            match sweep(&parts.subscriptions.store, &parts.blobs, Ages::default()).await {
                Ok(swept) => tracing::info!(?swept, "swept"),
                Err(error) => tracing::warn!(error = format!("{error:#}"), "the sweep was cut short"),
            }
        }
    };
    stop.run_until_cancelled(forever).await;
}

/// One sweep of everything.
pub async fn sweep(store: &EventStore, blobs: &Blobs, ages: Ages) -> anyhow::Result<Swept> {
    let now = store.clock().now();
    Ok(Swept {
        objects: sweep_objects(store, blobs, now - ages.staged, now - ages.object).await?,
        multiparts: sweep_multiparts(blobs, now - ages.multipart).await?,
        texts: sweep_texts(store, now - ages.object).await?,
        outcomes: store.forget_outcomes().await?,
        attempts: Attempts::sweep(store.pool(), now).await?,
        tokens: api_token::sweep(store.pool(), now).await?,
        links: link::sweep(store.pool(), now).await?,
    })
}

async fn sweep_objects(
    store: &EventStore,
    blobs: &Blobs,
    staged_before: DateTime<Utc>,
    stored_before: DateTime<Utc>,
) -> anyhow::Result<usize> {
    let mut swept = 0;
    let mut next = None;
    loop {
        let page = blobs.list_objects(next).await?;
        let (staged, stored): (Vec<_>, Vec<_>) =
            page.objects.into_iter().partition(|object| keys::is_staging(&object.key));
        let staged = older(staged, staged_before);
        let stored = older(stored, stored_before);
        for key in staged.into_iter().chain(unneeded(store, stored).await?) {
            blobs.delete(&key).await?;
            swept += 1;
        }
        next = page.next;
        if next.is_none() {
            return Ok(swept);
        }
    }
}

fn older(objects: Vec<ListedObject>, than: DateTime<Utc>) -> Vec<String> {
    objects.into_iter().filter(|object| object.modified_at < than).map(|object| object.key).collect()
}

/// Those of `keys` that look like ours, and that no document needs.
async fn unneeded(store: &EventStore, mut keys: Vec<String>) -> anyhow::Result<Vec<String>> {
    let documents: Vec<Uuid> = keys
        .iter()
        .filter(|key| keys::is_derived(key))
        .filter_map(|key| Some(keys::document_of(key)?.0))
        .collect();
    let mut known: HashSet<String> =
        document_listing::known_keys(store.pool(), &keys).await?.into_iter().collect();
    known.extend(document_listing::known_derived_keys(store.pool(), &documents, &keys).await?);
    keys.retain(|key| !known.contains(key));
    let mut unneeded = Vec::new();
    for key in keys {
        let Some(id) = keys::document_of(&key) else { continue };
        let (document, _) = store.load::<Document>(&id.to_string()).await?;
        if !needs(&document, &key) {
            unneeded.push(key);
        }
    }
    Ok(unneeded)
}

/// Texts that a crash left of documents that were purged meanwhile.
async fn sweep_texts(store: &EventStore, stored_before: DateTime<Utc>) -> anyhow::Result<usize> {
    let mut swept = 0;
    for id in texts::unlisted(store, stored_before).await? {
        let (document, _) = store.load::<Document>(&id.to_string()).await?;
        if !document.stage().is_retained() {
            texts::remove(store, id).await?;
            swept += 1;
        }
    }
    Ok(swept)
}

fn needs(document: &Document, key: &str) -> bool {
    let stage: Stage = document.stage();
    (stage.is_reserved() || stage.is_retained())
        && document.request().is_some_and(|request| {
            let derived = document.inspection_of(request.upload_id).and_then(Inspection::key);
            request.object_key == key || derived == Some(key)
        })
}

async fn sweep_multiparts(blobs: &Blobs, begun_before: DateTime<Utc>) -> anyhow::Result<usize> {
    let mut swept = 0;
    let mut next = None;
    loop {
        let page = blobs.list_multiparts(next).await?;
        for upload in page.uploads.iter().filter(|upload| upload.initiated_at < begun_before) {
            if keys::document_of(&upload.place.key).is_some() {
                blobs.abort_multipart(&upload.place.key, &upload.place.multipart_id).await?;
                swept += 1;
            }
        }
        next = page.next;
        if next.is_none() {
            return Ok(swept);
        }
    }
}
