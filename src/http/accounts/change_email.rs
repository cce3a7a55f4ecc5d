use std::sync::Arc;

use axum::extract::State;
use event_store::{CommandKey, Context, ExecuteError, Executed};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::auth::change_email;
use crate::auth::email::Email;
use crate::auth::reauthenticate::by_password;
use crate::auth::secret::Secret;
use crate::error::ApiError;
use crate::http::done::Done;
use crate::http::extract::{Body, IdempotencyKey, NoParams, Session, once};
use crate::mail::Kind;

/// The address from now on.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeEmail {
    email: String,
    /// The account's, again.
    #[schema(value_type = String)]
    password: Secret,
}

/// Asks for another address: a link goes there, and word of it to the old one. Answers alike whether or not it belongs to
/// somebody else.
#[utoipa::path(post, path = "/me/email", tag = "accounts", params(IdempotencyKey), request_body = ChangeEmail,
    security(("access_token" = ["user", "admin", "auditor"])),
    responses((status = 202), (status = 429)))]
pub async fn change_email(
    State(app): State<Arc<App>>,
    session: Session,
    _: NoParams,
    key: IdempotencyKey,
    body: Body<ChangeEmail>,
) -> Result<Done<()>, ApiError> {
    let key = key.of(&session, &body.raw, &app);
    let asked = once(&app, key, |idempotency| carry_out(&app, &session, idempotency, body.value));
    Ok(Done::accepted(asked.await?.position, ()))
}

async fn carry_out(
    app: &App,
    session: &Session,
    idempotency: Option<CommandKey>,
    asked: ChangeEmail,
) -> Result<Executed<()>, ExecuteError<ApiError>> {
    let permitted = async {
        let email = Email::parse(&asked.email);
        let email = email.map_err(|error| ApiError::field("email", "invalid", error.to_string()))?;
        let credentials =
            by_password(app, session.context(app.clock()), session.client.ip, asked.password).await?;
        let email_hash = app.emails.hash(email.as_str());
        if email_hash == credentials.email_hash {
            return Err(ApiError::field("email", "invalid", "This is the address of the account already."));
        }
        Ok((app.attempts.at_mail(Kind::ConfirmEmail, &email_hash).await?, email))
    };
    let (may_be_mailed, email) = permitted.await.map_err(ExecuteError::Refused)?;
    if !may_be_mailed {
        return Ok(Executed { value: (), position: None });
    }
    let context = Context { idempotency, ..session.context(app.clock()) };
    change_email::request(app, context, email).await
}
