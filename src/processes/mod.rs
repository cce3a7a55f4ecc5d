//! What happens without anybody asking: events (or deadlines) in, commands or effects in the object store out. Every
//! process may die anywhere and run twice: commands find that it is already so, and deleting twice is deleting once.
//!
//! To add a process: a file here with a `run` that ends with its token, and a line in [`all`].

mod object_deletion;
mod sweeper;
#[cfg(test)]
mod tests;
mod upload_expiry;
mod verification;

use futures::FutureExt;
use futures::future::BoxFuture;
use projections::{Freshness, Subscriptions};
use tokio_util::sync::CancellationToken;

pub use object_deletion::ObjectDeletion;
pub use sweeper::{Ages, sweep};
pub use upload_expiry::expire_uploads;
pub use verification::verify_uploads;

use crate::blobs::Blobs;

/// What processes work with. Cheap to clone.
#[derive(Clone)]
pub struct Parts {
    pub subscriptions: Subscriptions,
    pub blobs: Blobs,
    pub freshness: Freshness,
}

/// Every process there is, by name; each runs until `stop`.
pub fn all(parts: &Parts, stop: &CancellationToken) -> Vec<(&'static str, BoxFuture<'static, ()>)> {
    let (parts, stop) = (|| parts.clone(), || stop.clone());
    vec![
        (object_deletion::NAME, object_deletion::run(parts(), stop()).boxed()),
        (upload_expiry::NAME, upload_expiry::run(parts(), stop()).boxed()),
        (verification::NAME, verification::run(parts(), stop()).boxed()),
        (sweeper::NAME, sweeper::run(parts(), stop()).boxed()),
    ]
}
