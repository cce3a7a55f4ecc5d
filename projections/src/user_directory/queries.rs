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

/// One account, with the figures of its quota in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersonRow {
    pub user: UserRow,
    pub limit: i64,
    pub used: i64,
    pub reserved: i64,
}

/// Which accounts, by all of what is given.
#[derive(Clone, Debug, Default)]
pub struct PeopleQuery {
    /// A part of the address or the name, in any case.
    pub text: Option<String>,
    pub role: Option<&'static str>,
    pub is_active: Option<bool>,
    /// The account before which the page begins; none: the newest.
    pub before: Option<Uuid>,
    /// Rows on a page.
    pub limit: u16,
}

/// One page of accounts.
#[derive(Clone, Debug)]
pub struct PeoplePage {
    pub rows: Vec<PersonRow>,
    /// The account before which the next page begins; `None`: this was the last one.
    pub next: Option<Uuid>,
}

/// The account of `user` and its quota.
pub async fn find_person(pool: &PgPool, user: UserId) -> Result<Option<PersonRow>, sqlx::Error> {
    let rows = people(pool, &PeopleQuery { limit: 1, ..PeopleQuery::default() }, Some(user)).await?;
    Ok(rows.into_iter().next())
}

/// One page, the newest account first: ids are UUIDv7.
pub async fn list(pool: &PgPool, query: &PeopleQuery) -> Result<PeoplePage, sqlx::Error> {
    let mut rows = people(pool, query, None).await?;
    let more = rows.len() > usize::from(query.limit);
    rows.truncate(usize::from(query.limit));
    let next = rows.last().filter(|_| more).map(|row| row.user.user_id);
    Ok(PeoplePage { rows, next })
}

/// One row more than asked for tells that there are more.
async fn people(
    pool: &PgPool,
    query: &PeopleQuery,
    only: Option<UserId>,
) -> Result<Vec<PersonRow>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"SELECT u.user_id, u.email, u.email_verified, u.display_name, u.language, u.time_zone, u.role, u.is_active,
                  u.totp_enabled, u.created_at, u.position, coalesce(q.quota_limit, 0) AS "limit!",
                  coalesce(q.used, 0) AS "used!", coalesce(q.reserved, 0) AS "reserved!"
           FROM user_directory u LEFT JOIN quota_usage q ON q.user_id = u.user_id
               AND q.generation = (SELECT generation FROM serving_projections WHERE name = 'quota_usage')
           WHERE u.generation = (SELECT generation FROM serving_projections WHERE name = 'user_directory')
             AND ($1::text IS NULL OR strpos(lower(u.email), lower($1)) > 0
                  OR strpos(lower(u.display_name), lower($1)) > 0)
             AND ($2::text IS NULL OR u.role = $2)
             AND ($3::boolean IS NULL OR u.is_active = $3)
             AND ($4::uuid IS NULL OR u.user_id < $4)
             AND ($5::uuid IS NULL OR u.user_id = $5)
           ORDER BY u.user_id DESC LIMIT $6"#,
        query.text,
        query.role,
        query.is_active,
        query.before,
        only.map(|user| user.0),
        i64::from(query.limit) + 1
    );
    let rows = rows.fetch_all(pool).await?.into_iter().map(|row| PersonRow {
        user: UserRow {
            user_id: row.user_id,
            email: row.email,
            email_verified: row.email_verified,
            display_name: row.display_name,
            language: row.language,
            time_zone: row.time_zone,
            role: row.role,
            is_active: row.is_active,
            totp_enabled: row.totp_enabled,
            created_at: row.created_at,
            position: row.position,
        },
        limit: row.limit,
        used: row.used,
        reserved: row.reserved,
    });
    Ok(rows.collect())
}
