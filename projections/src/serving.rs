//! Which generation of a projection's rows answers queries.

use std::sync::Arc;

use sqlx::PgPool;

use crate::Projection;

/// The generation that serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Serving {
    pub generation: i64,
    /// Of the fold that wrote it.
    pub version: i32,
}

impl Serving {
    /// Of the projection `name`; `None`: no migration knows it.
    pub async fn of(pool: &PgPool, name: &str) -> Result<Option<Self>, sqlx::Error> {
        sqlx::query_as!(Serving, "SELECT generation, version FROM serving_projections WHERE name = $1", name)
            .fetch_optional(pool)
            .await
    }
}

/// The fold of `version`: this release's, or the one before it.
pub(crate) fn fold_of(projection: &Arc<dyn Projection>, version: i32) -> Option<Arc<dyn Projection>> {
    if projection.version() == version {
        return Some(projection.clone());
    }
    projection.previous().filter(|previous| previous.version() == version)
}
