use std::sync::Arc;

use aggregates::{Name, Role, UserId};
use axum::Json;
use axum::extract::State;
use event_store::Context;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::app::App;
use crate::auth::email::Email;
use crate::error::ApiError;
use crate::http::done::Done;
use crate::http::extract::{Admin, Body, IdempotencyKey, NoParams, once_in_secret, present};
use crate::people::create_user::{NewUser, create_user};

/// Who shall have an account.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateUser {
    email: String,
    display_name: Option<String>,
    /// `user`, `admin` or `auditor`; default `user`
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = String, required = false)]
    role: Option<Role>,
    /// Bytes; default: as many as everybody
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = u64, required = false)]
    quota_limit: Option<u64>,
}

/// The password is shown this once, is good for 24 hours, and has to be changed before anything else works.
#[derive(Serialize, ToSchema)]
pub struct CreatedUser {
    user_id: Uuid,
    temporary_password: String,
}

/// Makes an account for somebody.
#[utoipa::path(post, path = "/admin/users", tag = "administration", params(IdempotencyKey),
    security(("access_token" = ["admin"])), request_body = CreateUser,
    responses((status = 201, body = CreatedUser), (status = 409)))]
pub async fn create(
    State(app): State<Arc<App>>,
    admin: Admin,
    _: NoParams,
    key: IdempotencyKey,
    body: Body<CreateUser>,
) -> Result<Done<Json<CreatedUser>>, ApiError> {
    let key = key.of(&admin, &body.raw, &app);
    let user = body.value.check()?;
    let context = admin.context_about(UserId(app.clock().new_id()), app.clock());
    let created = once_in_secret(&app, key, async |idempotency| {
        Ok(create_user(&app, Context { idempotency, ..context }, user).await?)
    });
    let created = created.await?;
    let (user_id, password) = (created.value.user_id.0, created.value.password);
    let body = CreatedUser { user_id, temporary_password: password.expose().to_owned() };
    Ok(Done::created(created.position, Json(body)))
}

impl CreateUser {
    fn check(self) -> Result<NewUser, ApiError> {
        let email = Email::parse(&self.email)
            .map_err(|error| ApiError::field("email", "invalid", error.to_string()))?;
        let display_name = self.display_name.map(|name| Name::parse(&name)).transpose();
        let display_name =
            display_name.map_err(|error| ApiError::field("display_name", "invalid", error.to_string()))?;
        if self.quota_limit.is_some_and(|limit| i64::try_from(limit).is_err()) {
            return Err(super::limit_quota::out_of_range("quota_limit"));
        }
        Ok(NewUser {
            email,
            display_name,
            role: self.role.unwrap_or(Role::User),
            quota_limit: self.quota_limit,
        })
    }
}
