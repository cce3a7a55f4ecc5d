use aggregates::UserId;
use chrono::{DateTime, Utc};
use projections::user_directory;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::app::App;
use crate::error::ApiError;
use crate::http::done::Versioned;
use crate::http::layers::read_your_writes;

/// An account, as its owner sees it.
#[derive(Debug, Serialize, ToSchema)]
pub struct Account {
    user_id: Uuid,
    email: String,
    display_name: Option<String>,
    /// `user`, `admin` or `auditor`
    role: String,
    totp_enabled: bool,
    created_at: DateTime<Utc>,
    preferences: Preferences,
}

/// What is not set is left out.
#[derive(Debug, Serialize, ToSchema)]
pub struct Preferences {
    /// A language identifier (BCP 47), such as `de-AT`
    #[serde(skip_serializing_if = "Option::is_none")]
    language: Option<String>,
    /// A name of the IANA time zone database, such as `Europe/Vienna`
    #[serde(skip_serializing_if = "Option::is_none")]
    time_zone: Option<String>,
}

/// Reads the directory, which may have to come to a new account first.
pub(super) async fn find(app: &App, user_id: UserId) -> Result<Versioned<Account>, ApiError> {
    let pool = app.store.pool();
    let mut row = user_directory::find(pool, user_id).await?;
    if row.is_none() {
        read_your_writes(app, app.store.head().await?).await;
        row = user_directory::find(pool, user_id).await?;
    }
    let row = row.ok_or_else(|| ApiError::Unavailable("the user directory is behind".into()))?;
    let account = Account {
        user_id: row.user_id,
        email: row.email,
        display_name: row.display_name,
        role: row.role,
        totp_enabled: row.totp_enabled,
        created_at: row.created_at,
        preferences: Preferences { language: row.language, time_zone: row.time_zone },
    };
    Ok(Versioned(row.position.to_string(), account))
}
