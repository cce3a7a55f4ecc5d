use std::sync::Arc;

use aggregates::UserId;
use axum::extract::FromRequestParts;
use event_store::{CommandKey, Context};
use http::request::Parts;
use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter, ParameterIn};

use crate::app::App;
use crate::error::ApiError;
use crate::http::extract::{Admin, Id, IdempotencyKey, NoParams};

/// What an administrator wants done about the account that the path names.
pub struct Order {
    pub app: Arc<App>,
    pub person: UserId,
    admin: Admin,
    key: IdempotencyKey,
}

impl FromRequestParts<Arc<App>> for Order {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        let admin = Admin::from_request_parts(parts, app).await?;
        let Id(person) = Id::from_request_parts(parts, app).await?;
        NoParams::from_request_parts(parts, app).await?;
        let key = IdempotencyKey::from_request_parts(parts, app).await?;
        Ok(Self { app: app.clone(), person, admin, key })
    }
}

impl IntoParams for Order {
    fn into_params(place: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        [Id::<UserId>::into_params(&place), IdempotencyKey::into_params(&place)].concat()
    }
}

impl Order {
    /// The context of the command, and the key that it came with, bound to `body`.
    pub fn context(self, body: &[u8]) -> (Arc<App>, Context, Option<CommandKey>) {
        let context = self.admin.context_about(self.person, self.app.clock());
        let key = self.key.of(&self.admin, body, &self.app);
        (self.app, context, key)
    }
}
