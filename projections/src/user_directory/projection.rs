//! The fold: the only writer of `user_directory`.

use aggregates::{Event, User, UserEvent};
use cqrs_es::Aggregate;
use event_store::RecordedEvent;
use futures::FutureExt;
use futures::future::BoxFuture;
use sqlx::PgConnection;

use super::UserRow;
use crate::Projection;

/// Keeps `user_directory`.
pub struct UserDirectory;

impl Projection for UserDirectory {
    fn name(&self) -> &'static str {
        "user_directory"
    }

    fn aggregates(&self) -> Option<&'static [&'static str]> {
        Some(&[User::TYPE])
    }

    fn fold<'a>(
        &'a self,
        tx: &'a mut PgConnection,
        generation: i64,
        events: &'a [RecordedEvent],
    ) -> BoxFuture<'a, anyhow::Result<()>> {
        fold(tx, generation, events).boxed()
    }
}

async fn fold(tx: &mut PgConnection, generation: i64, events: &[RecordedEvent]) -> anyhow::Result<()> {
    let mut rows = Vec::new();
    for event in events {
        match &event.event {
            Event::User(UserEvent::UserRegistered { email, display_name, role }) => rows.push(UserRow {
                user_id: event.aggregate_id.parse()?,
                email: crate::shown(email, String::as_str),
                display_name: display_name.as_ref().map(|name| crate::shown(name, String::as_str)),
                role: role.as_str().into(),
                created_at: event.recorded_at,
                position: event.position,
            }),
            Event::User(UserEvent::PasswordChanged {})
            | Event::Document(_)
            | Event::Quota(_)
            | Event::Access(_)
            | Event::Log(_) => {}
        }
    }
    Ok(insert(tx, generation, &rows).await?)
}

async fn insert(tx: &mut PgConnection, generation: i64, rows: &[UserRow]) -> Result<(), sqlx::Error> {
    fn column<'a, T>(rows: &'a [UserRow], of: impl Fn(&'a UserRow) -> T) -> Vec<T> {
        rows.iter().map(of).collect()
    }
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "INSERT INTO user_directory (generation, user_id, email, display_name, role, created_at, position)
         SELECT $7, * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::bigint[])",
        &column(rows, |row| row.user_id),
        &column(rows, |row| row.email.as_str()) as &[&str],
        &column(rows, |row| row.display_name.as_deref()) as &[Option<&str>],
        &column(rows, |row| row.role.as_str()) as &[&str],
        &column(rows, |row| row.created_at),
        &column(rows, |row| row.position),
        generation,
    )
    .execute(tx)
    .await?;
    Ok(())
}
