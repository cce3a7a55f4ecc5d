use std::sync::Arc;

use aggregates::{AccessEvent, Role, UserId};
use axum::extract::State;
use event_store::{CommandKey, Context, ExecuteError, Executed};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::applicant::Applicant;
use super::beside::beside;
use crate::app::App;
use crate::auth::credentials::Credentials;
use crate::auth::deliver::{Delivery, deliver};
use crate::auth::password_hash::PasswordHash;
use crate::auth::register::{Newcomer, RegisterError, register as open_account};
use crate::auth::secret::Secret;
use crate::error::ApiError;
use crate::http::extract::{Body, Client, IdempotencyKey, NoParams, once};
use crate::mail::Kind;

/// Somebody who wants an account.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Register {
    email: String,
    /// 12 to 1,024 bytes
    #[schema(value_type = String)]
    password: Secret,
    display_name: Option<String>,
}

/// Opens an account. Nobody signs in before the link that goes to the address has come back. The answer is the same for an
/// address that has an account; its owner is told by mail. 404 unless registration is open.
#[utoipa::path(post, path = "/auth/register", tag = "accounts", params(IdempotencyKey), request_body = Register,
    responses((status = 202), (status = 404), (status = 429)))]
pub async fn register(
    State(app): State<Arc<App>>,
    client: Client,
    _: NoParams,
    key: IdempotencyKey,
    body: Body<Register>,
) -> Result<StatusCode, ApiError> {
    if !app.config.vault.registration_is_open {
        return Err(ApiError::NotFound);
    }
    app.attempts.at_registration(client.ip).await?;
    let newcomer = body.value.check(&app).await?;
    let key = key.of_hash(&app.emails.hash(newcomer.email.as_str()), &body.raw, &app);
    let registering = app.clone();
    beside(&app, "a registration", async move {
        let registered = once(&registering, key, |key| async {
            carry_out(&registering, &client, key, newcomer).await.map_err(ExecuteError::Refused)
        });
        registered.await.map(drop)
    })
    .await;
    Ok(StatusCode::ACCEPTED)
}

impl Register {
    async fn check(self, app: &App) -> Result<Newcomer, ApiError> {
        let Self { email, password, display_name } = self;
        let applicant = Applicant::check(app, &email, password, display_name.as_deref()).await?;
        Ok(Newcomer {
            email: applicant.email,
            display_name: applicant.display_name,
            role: Role::User,
            password: applicant.password,
            temporary_until: None,
            quota_limit: app.config.vault.default_quota,
            setup_token: None,
            unverified: true,
        })
    }
}

async fn carry_out(
    app: &App,
    client: &Client,
    key: Option<CommandKey>,
    newcomer: Newcomer,
) -> Result<Executed<Value>, ApiError> {
    let (email_hash, password) = (app.emails.hash(newcomer.email.as_str()), newcomer.password.clone());
    let context = client.context(UserId(app.clock().new_id()), app.clock());
    let opened = open_account(app, newcomer, Context { idempotency: key.clone(), ..context }).await;
    match opened {
        Ok(opened) => Ok(Executed { value: json!(opened.value), position: opened.position }),
        Err(RegisterError::EmailTaken) => repeat(app, client, key, &email_hash, password).await,
        Err(error) => Err(error.into()),
    }
}

/// The address has an account. If it waits to be verified, another link goes out, which brings along the password that was
/// given with it: whose link comes back, their password counts, and a stranger who registers an address of somebody else's
/// gains nothing by being the first or the last.
async fn repeat(
    app: &App,
    client: &Client,
    idempotency: Option<CommandKey>,
    email_hash: &[u8],
    password: PasswordHash,
) -> Result<Executed<Value>, ApiError> {
    let nothing = Executed { value: Value::Null, position: None };
    let Some(known) = Credentials::of_email(app.store.pool(), email_hash).await? else { return Ok(nothing) };
    let mails: &[Kind] = if known.unverified { &[Kind::VerifyEmail] } else { &[Kind::RegistrationRepeated] };
    if !app.attempts.at_mail(mails[0], email_hash).await? {
        return Ok(nothing);
    }
    let context = Context { idempotency, ..client.context(known.user_id, app.clock()) };
    let delivery = Delivery { user_id: known.user_id, mails, password: known.unverified.then_some(password) };
    let told = deliver(app, context, AccessEvent::RegistrationRepeated {}, delivery).await?;
    Ok(Executed { value: Value::Null, position: told.position })
}
