//! The fold: the only writer of `user_directory`.

use std::collections::HashMap;

use aggregates::{Event, Personal, User, UserEvent};
use anyhow::Context;
use cqrs_es::Aggregate;
use event_store::RecordedEvent;
use futures::FutureExt;
use futures::future::BoxFuture;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{UserRow, queries};
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
    let mut touched = Vec::new();
    for event in events {
        if matches!(event.event, Event::User(_)) {
            touched.push(event.aggregate_id.parse()?);
        }
    }
    touched.sort_unstable();
    touched.dedup();
    if touched.is_empty() {
        return Ok(());
    }
    let loaded = queries::load(tx, generation, &touched).await?;
    let mut rows: HashMap<Uuid, UserRow> = loaded.into_iter().map(|row| (row.user_id, row)).collect();
    for event in events {
        match &event.event {
            Event::User(change) => apply(&mut rows, event.aggregate_id.parse()?, event, change)?,
            Event::Document(_) | Event::Quota(_) | Event::Access(_) | Event::Log(_) => {}
        }
    }
    Ok(upsert(tx, generation, &rows.into_values().collect::<Vec<_>>()).await?)
}

fn apply(
    rows: &mut HashMap<Uuid, UserRow>,
    user_id: Uuid,
    event: &RecordedEvent,
    change: &UserEvent,
) -> anyhow::Result<()> {
    if let UserEvent::UserRegistered { email, display_name, role } = change {
        let row = UserRow {
            user_id,
            email: shown(email),
            email_verified: false,
            display_name: display_name.as_ref().map(shown),
            language: None,
            time_zone: None,
            role: role.as_str().into(),
            is_active: true,
            totp_enabled: false,
            created_at: event.recorded_at,
            position: event.position,
        };
        rows.insert(user_id, row);
        return Ok(());
    }
    let row = rows.get_mut(&user_id).context("something happened to an account that was not registered")?;
    change_row(row, change);
    row.position = event.position;
    Ok(())
}

fn change_row(row: &mut UserRow, change: &UserEvent) {
    match change {
        UserEvent::EmailVerified {} => row.email_verified = true,
        UserEvent::EmailChanged { email } => {
            row.email = shown(email);
            row.email_verified = true;
        }
        UserEvent::TotpEnabled {} => row.totp_enabled = true,
        UserEvent::TotpDisabled {} => row.totp_enabled = false,
        UserEvent::DisplayNameChanged { display_name } => {
            row.display_name = display_name.as_ref().map(shown);
        }
        UserEvent::PreferencesChanged { preferences } => {
            row.language = preferences.language.as_ref().map(shown);
            row.time_zone = preferences.time_zone.as_ref().map(shown);
        }
        UserEvent::RoleChanged { role } => row.role = role.as_str().into(),
        UserEvent::UserDeactivated {} => row.is_active = false,
        UserEvent::UserReactivated {} => row.is_active = true,
        UserEvent::UserRegistered { .. }
        | UserEvent::EmailChangeRequested { .. }
        | UserEvent::PasswordChanged {}
        | UserEvent::PasswordReset {}
        | UserEvent::TemporaryPasswordIssued {}
        | UserEvent::TotpEnrollmentStarted {}
        | UserEvent::BackupCodesReplaced {}
        | UserEvent::ApiTokenCreated { .. }
        | UserEvent::ApiTokenRevoked { .. } => {}
    }
}

fn shown(text: &Personal<String>) -> String {
    crate::shown(text, String::as_str)
}

async fn upsert(tx: &mut PgConnection, generation: i64, rows: &[UserRow]) -> Result<(), sqlx::Error> {
    fn column<'a, T>(rows: &'a [UserRow], of: impl Fn(&'a UserRow) -> T) -> Vec<T> {
        rows.iter().map(of).collect()
    }
    sqlx::query!(
        "INSERT INTO user_directory (generation, user_id, email, email_verified, display_name, language, time_zone, role,
                                     is_active, totp_enabled, created_at, position)
         SELECT $12, * FROM unnest($1::uuid[], $2::text[], $3::boolean[], $4::text[], $5::text[], $6::text[], $7::text[],
                                   $8::boolean[], $9::boolean[], $10::timestamptz[], $11::bigint[])
         ON CONFLICT (generation, user_id) DO UPDATE SET
             email = excluded.email, email_verified = excluded.email_verified, display_name = excluded.display_name,
             language = excluded.language, time_zone = excluded.time_zone, role = excluded.role,
             is_active = excluded.is_active, totp_enabled = excluded.totp_enabled, position = excluded.position",
        &column(rows, |row| row.user_id),
        &column(rows, |row| row.email.as_str()) as &[&str],
        &column(rows, |row| row.email_verified),
        &column(rows, |row| row.display_name.as_deref()) as &[Option<&str>],
        &column(rows, |row| row.language.as_deref()) as &[Option<&str>],
        &column(rows, |row| row.time_zone.as_deref()) as &[Option<&str>],
        &column(rows, |row| row.role.as_str()) as &[&str],
        &column(rows, |row| row.is_active),
        &column(rows, |row| row.totp_enabled),
        &column(rows, |row| row.created_at),
        &column(rows, |row| row.position),
        generation,
    )
    .execute(tx)
    .await?;
    Ok(())
}
