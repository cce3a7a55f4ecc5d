//! What every command about one document has in common: whose it is, the idempotency key, `If-Match`.

use std::sync::Arc;

use aggregates::{Document, DocumentCommand, DocumentId};
use axum::extract::FromRequestParts;
use event_store::{Context, ExecuteError, Executed};
use futures::FutureExt;
use http::request::Parts;
use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter, ParameterIn};

use crate::app::App;
use crate::documents::carry_out;
use crate::error::ApiError;
use crate::http::done::Versioned;
use crate::http::extract::{Id, IdempotencyKey, IfMatch, Member, NoParams, once};

/// A request to change a document of the caller's.
pub struct Change {
    pub app: Arc<App>,
    pub member: Member,
    pub id: DocumentId,
    if_match: Arc<IfMatch>,
    key: IdempotencyKey,
}

impl FromRequestParts<Arc<App>> for Change {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        let member = Member::from_request_parts(parts, app).await?;
        let Id(id) = Id::from_request_parts(parts, app).await?;
        NoParams::from_request_parts(parts, app).await?;
        let Ok(if_match) = IfMatch::from_request_parts(parts, app).await;
        let key = IdempotencyKey::from_request_parts(parts, app).await?;
        Ok(Self { app: app.clone(), member, id, if_match: if_match.into(), key })
    }
}

impl IntoParams for Change {
    fn into_params(place: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        [
            Id::<DocumentId>::into_params(&place),
            IfMatch::into_params(&place),
            IdempotencyKey::into_params(&place),
        ]
        .concat()
    }
}

impl Change {
    /// The document as the log has it. Not found when it is not the caller's.
    pub async fn document(&self) -> Result<Document, ApiError> {
        let (document, _) = self.app.store.load::<Document>(&self.id.to_string()).await?;
        match document.owned_by(self.member.user_id) {
            Some(_) => Ok(document),
            None => Err(ApiError::NotFound),
        }
    }

    /// Heeds `If-Match` where no command would.
    pub fn check<T>(&self, Versioned(version, _): &Versioned<T>) -> Result<(), ApiError> {
        self.if_match.check(version)
    }

    /// Carries `command` out, once for its key. Answers the position that it appended up to.
    pub async fn run(self, body: &[u8], command: DocumentCommand) -> Result<Option<i64>, ApiError> {
        let Self { app, member, id, if_match, key } = self;
        let key = key.of(&member, body, &app);
        let done = once(&app, key, |idempotency| {
            let context = Context { idempotency, ..member.context(app.clock()) };
            execute(&app, context, id, if_match, command)
        });
        Ok(done.await?.position)
    }
}

async fn execute(
    app: &App,
    context: Context,
    id: DocumentId,
    if_match: Arc<IfMatch>,
    command: DocumentCommand,
) -> Result<Executed<()>, ExecuteError<ApiError>> {
    let owner = context.owner_id;
    let decided = app.store.execute(context, move |unit| {
        let (if_match, command) = (if_match.clone(), command.clone());
        async move {
            let mut document = unit.load::<Document>(id.0).await?;
            document.owned_by(owner).ok_or(ApiError::NotFound)?;
            if_match.check(document.revision())?;
            unit.answer(serde_json::Value::Null);
            carry_out(unit, owner, id, &mut document, command).await
        }
        .boxed()
    });
    decided.await
}
