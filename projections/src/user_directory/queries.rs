//! What is asked of the directory.

use aggregates::UserId;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use super::UserRow;

/// The account of `user`.
pub async fn find(pool: &PgPool, user: UserId) -> Result<Option<UserRow>, sqlx::Error> {
    sqlx::query_as!(
        UserRow,
        "SELECT user_id, email, email_verified, display_name, language, time_zone, role, is_active, totp_enabled, created_at,
                position
         FROM user_directory
         WHERE generation = (SELECT generation FROM serving_projections WHERE name = 'user_directory')
           AND user_id = $1",
        user.0
    )
    .fetch_optional(pool)
    .await
}

/// How many accounts there are.
pub async fn count(pool: &PgPool) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM user_directory
           WHERE generation = (SELECT generation FROM serving_projections WHERE name = 'user_directory')"#
    )
    .fetch_one(pool)
    .await
}

/// The rows of `users` in `generation`.
pub(super) async fn load(
    connection: &mut PgConnection,
    generation: i64,
    users: &[Uuid],
) -> Result<Vec<UserRow>, sqlx::Error> {
    sqlx::query_as!(
        UserRow,
        "SELECT user_id, email, email_verified, display_name, language, time_zone, role, is_active, totp_enabled, created_at,
                position
         FROM user_directory WHERE generation = $1 AND user_id = ANY($2)",
        generation,
        users
    )
    .fetch_all(connection)
    .await
}
