use aggregates::UserId;
use chrono::{DateTime, Utc};
use projections::user_directory::{self, PersonRow};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::app::App;
use crate::error::ApiError;
use crate::http::done::Versioned;
use crate::http::layers::read_your_writes;

/// An account, as administrators see it.
#[derive(Debug, Serialize, ToSchema)]
pub struct Person {
    user_id: Uuid,
    email: String,
    /// A link that went there came back.
    email_verified: bool,
    display_name: Option<String>,
    /// `user`, `admin` or `auditor`
    role: String,
    active: bool,
    totp_enabled: bool,
    created_at: DateTime<Utc>,
    quota: Usage,
}

/// Figures in bytes.
#[derive(Debug, Serialize, ToSchema)]
pub struct Usage {
    limit: i64,
    /// By active and trashed documents.
    used: i64,
    /// By uploads under way.
    reserved: i64,
}

/// The account of `person`, with its version. The directory may have to come to a new one first.
pub(super) async fn find(app: &App, person: UserId) -> Result<Versioned<Person>, ApiError> {
    let pool = app.store.pool();
    let mut row = user_directory::find_person(pool, person).await?;
    if row.is_none() {
        read_your_writes(app, app.store.head().await?).await;
        row = user_directory::find_person(pool, person).await?;
    }
    let row = row.ok_or(ApiError::NotFound)?;
    Ok(Versioned(row.user.position.to_string(), row.into()))
}

impl From<PersonRow> for Person {
    fn from(PersonRow { user, limit, used, reserved }: PersonRow) -> Self {
        Self {
            user_id: user.user_id,
            email: user.email,
            email_verified: user.email_verified,
            display_name: user.display_name,
            role: user.role,
            active: user.is_active,
            totp_enabled: user.totp_enabled,
            created_at: user.created_at,
            quota: Usage { limit, used, reserved },
        }
    }
}
