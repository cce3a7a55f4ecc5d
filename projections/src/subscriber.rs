//! The two kinds of readers of the log: those that write rows, and those that act outside of the database.

use event_store::RecordedEvent;
use futures::future::BoxFuture;
use sqlx::PgConnection;

/// A subscription that writes a read model: a table that bears its name, and that only it writes.
pub trait Projection: Send + Sync + 'static {
    /// The name of its table and of its checkpoint. Never changes.
    fn name(&self) -> &'static str;

    /// Of the fold and of the schema that it needs. Grows when what it wrote before is no longer what it would write.
    fn version(&self) -> i32 {
        1
    }

    /// The types of aggregates whose events it folds; others are not even decoded. None: all of them.
    fn aggregates(&self) -> Option<&'static [&'static str]>;

    /// Whether requests wait for it, and a projector keeps it. False: what feeds it is a consumer of NATS.
    fn serves_requests(&self) -> bool {
        true
    }

    /// Folds the next events, in order, into the rows of `generation`. The rows commit with the checkpoint.
    fn fold<'a>(
        &'a self,
        tx: &'a mut PgConnection,
        generation: i64,
        events: &'a [RecordedEvent],
    ) -> BoxFuture<'a, anyhow::Result<()>>;

    /// The fold of the version before, kept for one release: it goes on serving until the new one has taken over.
    fn previous(&self) -> Option<std::sync::Arc<dyn Projection>> {
        None
    }
}

/// A subscription with effects outside of the database. No transaction is open while it works, and its checkpoint
/// moves on afterwards: an effect can happen more than once, so twice must be as good as once.
pub trait Process: Send + Sync + 'static {
    /// The name of its checkpoint. Never changes.
    fn name(&self) -> &'static str;

    /// The types of aggregates whose events it wants.
    fn aggregates(&self) -> Option<&'static [&'static str]>;

    /// Acts on the next events, in order.
    fn handle<'a>(&'a self, events: &'a [RecordedEvent]) -> BoxFuture<'a, anyhow::Result<()>>;
}
