use std::ops::Deref;
use std::sync::Arc;

use aggregates::{Actor, Metadata, Personal, Role, Scope, SessionId, UserId};
use axum::extract::FromRequestParts;
use event_store::{Clock, Context};
use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{HeaderMap, Method};
use uuid::Uuid;

use super::Client;
use crate::app::App;
use crate::auth::api_token;
use crate::auth::session::Going;
use crate::error::ApiError;

/// The person who sends the request; any role.
#[derive(Clone, Debug)]
pub struct Caller {
    pub user_id: UserId,
    pub role: Role,
    /// `None`: an API token acts for them.
    session_id: Option<SessionId>,
    /// Of the log, now: what cursors are good for.
    pub lineage: Uuid,
    pub client: Client,
}

/// A caller who has signed in: what is about the account itself is not for API tokens.
#[derive(Clone, Debug)]
pub struct Session {
    caller: Caller,
    pub session_id: SessionId,
}

/// A caller who has a vault of documents: a user or an administrator, not an auditor.
#[derive(Clone, Debug)]
pub struct Member(Caller);

/// A caller who administers the vault, signed in.
#[derive(Clone, Debug)]
pub struct Admin(Session);

/// A caller who may see the audit trail: an auditor or an administrator, signed in.
#[derive(Clone, Debug)]
pub struct Auditing(Session);

impl Client {
    /// The context of a command that `user_id` sends about their own vault.
    pub fn context(&self, user_id: UserId, clock: &Clock) -> Context {
        let metadata = Metadata {
            actor: Actor::User(user_id),
            correlation_id: self.correlation_id,
            causation_id: None,
            occurred_at: clock.now(),
            ip: self.ip.map(|ip| Personal::new(user_id, ip.to_string())),
        };
        Context { owner_id: user_id, metadata, idempotency: None }
    }
}

impl Caller {
    /// The context of a command about the caller's own vault.
    pub fn context(&self, clock: &Clock) -> Context {
        self.client.context(self.user_id, clock)
    }
}

impl Admin {
    /// The context of a command about the account of `person`: theirs is the stream, the administrator's the deed.
    pub fn context_about(&self, person: UserId, clock: &Clock) -> Context {
        Context { owner_id: person, ..self.context(clock) }
    }
}

impl Deref for Session {
    type Target = Caller;

    fn deref(&self) -> &Caller {
        &self.caller
    }
}

impl Deref for Member {
    type Target = Caller;

    fn deref(&self) -> &Caller {
        &self.0
    }
}

impl Deref for Admin {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.0
    }
}

impl Deref for Auditing {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.0
    }
}

impl FromRequestParts<Arc<App>> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        let Ok(client) = Client::from_request_parts(parts, app).await;
        let token = bearer(&parts.headers).ok_or(ApiError::Unauthenticated)?;
        if token.starts_with(api_token::PREFIX) {
            return Self::by_api_token(app, token, &parts.method, client).await;
        }
        let claims = app.tokens.verify_access(token, app.clock().now()).ok_or(ApiError::Unauthenticated)?;
        let going = app.session_checks.check(&claims, app.clock().now()).await?;
        let Going { role, lineage, .. } = going.ok_or(ApiError::Unauthenticated)?;
        Ok(Self { user_id: claims.sub, role, session_id: Some(claims.sid), lineage, client })
    }
}

impl Caller {
    /// Events name the owner, as of anything that they do; which token it was, the log tells by the request's id.
    async fn by_api_token(app: &App, token: &str, method: &Method, client: Client) -> Result<Self, ApiError> {
        let bearer = api_token::check(app.store.pool(), token, app.clock().now()).await?;
        let bearer = bearer.ok_or(ApiError::Unauthenticated)?;
        tracing::info!(token_id = %bearer.token_id, "an API token acts");
        api_token::note_use(app, &bearer);
        let (needed, refusal) = match *method {
            Method::GET | Method::HEAD => (Scope::Read, "This API token may not read."),
            _ => (Scope::Write, "This API token may not write."),
        };
        if !bearer.scopes.contains(&needed) {
            return Err(ApiError::Forbidden(refusal));
        }
        let api_token::Bearer { user_id, role, lineage, .. } = bearer;
        Ok(Self { user_id, role, session_id: None, lineage, client })
    }
}

impl FromRequestParts<Arc<App>> for Session {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        let caller = Caller::from_request_parts(parts, app).await?;
        let session_id =
            caller.session_id.ok_or(ApiError::Forbidden("Sign in: this is not for API tokens."))?;
        Ok(Self { caller, session_id })
    }
}

impl FromRequestParts<Arc<App>> for Member {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        let caller = Caller::from_request_parts(parts, app).await?;
        match caller.role {
            Role::User | Role::Admin => Ok(Self(caller)),
            Role::Auditor => Err(ApiError::Forbidden("Auditors have no documents.")),
        }
    }
}

impl FromRequestParts<Arc<App>> for Admin {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        let session = Session::from_request_parts(parts, app).await?;
        match session.role {
            Role::Admin => Ok(Self(session)),
            Role::User | Role::Auditor => Err(ApiError::Forbidden("This is for administrators.")),
        }
    }
}

impl FromRequestParts<Arc<App>> for Auditing {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        let session = Session::from_request_parts(parts, app).await?;
        match session.role {
            Role::Admin | Role::Auditor => Ok(Self(session)),
            Role::User => Err(ApiError::Forbidden("This is for auditors and administrators.")),
        }
    }
}

/// RFC 6750 §2.1: the one place of a token.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("Bearer").then(|| token.trim())
}
