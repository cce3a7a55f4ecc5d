//! What is asked of the quotas.

use aggregates::UserId;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use super::QuotaRow;

/// The quota of `user`.
pub async fn find(pool: &PgPool, user: UserId) -> Result<Option<QuotaRow>, sqlx::Error> {
    sqlx::query_as!(
        QuotaRow,
        r#"SELECT user_id, quota_limit AS "limit", used, reserved, documents, trashed_bytes
           FROM quota_usage
           WHERE generation = (SELECT generation FROM serving_projections WHERE name = 'quota_usage')
             AND user_id = $1"#,
        user.0
    )
    .fetch_optional(pool)
    .await
}

/// The rows of `users` in `generation`.
pub(super) async fn load(
    connection: &mut PgConnection,
    generation: i64,
    users: &[Uuid],
) -> Result<Vec<QuotaRow>, sqlx::Error> {
    sqlx::query_as!(
        QuotaRow,
        r#"SELECT user_id, quota_limit AS "limit", used, reserved, documents, trashed_bytes
           FROM quota_usage WHERE generation = $1 AND user_id = ANY($2)"#,
        generation,
        users
    )
    .fetch_all(connection)
    .await
}
