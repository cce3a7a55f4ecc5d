//! Another address for an account. It is asked for by whoever is signed in and knows the password, and counts when the link
//! that went to it comes back. Whether the address belongs to somebody else is told to nobody but those who read its mails.

use std::sync::Arc;

use aggregates::{Personal, User, UserCommand, UserId};
use chrono::{DateTime, Utc};
use event_store::{Context, ExecuteError, Executed, StoreError, Unit};
use futures::FutureExt;
use serde_json::Value;
use sqlx::PgPool;

use super::deliver::{self, Delivery};
use super::email::Email;
use super::link::{outdated, used_up};
use crate::app::App;
use crate::error::ApiError;
use crate::mail::Kind;

/// A link to the new address, and word to the old one.
const MAILS: &[Kind] = &[Kind::ConfirmEmail, Kind::EmailChangeRequested];

/// Asks for `email` in the place of the address of the context's owner.
pub async fn request(
    app: &App,
    context: Context,
    email: Email,
) -> Result<Executed<()>, ExecuteError<ApiError>> {
    let (user_id, at) = (context.owner_id, context.metadata.occurred_at);
    let delivery = Arc::new(Delivery { user_id, mails: MAILS, password: None });
    let (pool, links, email) = (app.store.pool().clone(), app.links.clone(), Arc::new(email));
    let requested = app.store.execute_with(
        context,
        move |unit| decide_request(unit, user_id, email.clone()).boxed(),
        move |append| deliver::write(pool.clone(), links.clone(), delivery.clone(), at, append).boxed(),
    );
    requested.await.map_err(|error| match error {
        ExecuteError::Precondition => ExecuteError::Refused(ApiError::Unauthenticated),
        error => error,
    })
}

async fn decide_request(unit: &mut Unit, user_id: UserId, email: Arc<Email>) -> Result<(), ApiError> {
    let mut user = unit.load::<User>(user_id.0).await?;
    let email = Personal::new(user_id, email.as_str().to_owned());
    unit.handle(&mut user, UserCommand::RequestEmailChange { email }).await?;
    unit.answer(Value::Null);
    Ok(())
}

/// Uses up the link with this hash, which is the context's owner's, and every other link that went to the old address.
pub async fn confirm(
    app: &App,
    context: Context,
    token_hash: Vec<u8>,
) -> Result<Executed<()>, ExecuteError<ApiError>> {
    let (user_id, now) = (context.owner_id, context.metadata.occurred_at);
    let (user, _) = app.store.load::<User>(&user_id.to_string()).await?;
    let email = user.requested_email().and_then(Personal::open).cloned();
    let email = email.ok_or(ExecuteError::Refused(ApiError::InvalidToken))?;
    let (email_hash, pool) = (app.emails.hash(&email), app.store.pool().clone());
    let confirmed = app.store.execute_with(
        context,
        move |unit| decide_confirmation(unit, user_id, email.clone()).boxed(),
        move |append| write(pool.clone(), append, token_hash.clone(), now, email_hash.clone()).boxed(),
    );
    confirmed.await.map_err(|error| match error {
        ExecuteError::Store(StoreError::Database(sqlx::Error::Database(refusal)))
            if refusal.constraint() == Some("email_claims_pkey") =>
        {
            let taken = "This e-mail address already has an account.";
            ExecuteError::Refused(ApiError::Conflict(taken.into()))
        }
        error => used_up(error),
    })
}

/// The address is still the one whose claim the statement takes.
async fn decide_confirmation(unit: &mut Unit, user_id: UserId, email: String) -> Result<(), ApiError> {
    let mut user = unit.load::<User>(user_id.0).await?;
    if user.requested_email().and_then(Personal::open) != Some(&email) {
        return Err(ApiError::InvalidToken);
    }
    unit.handle(&mut user, UserCommand::ConfirmEmailChange).await.map_err(outdated)?;
    unit.answer(Value::Null);
    Ok(())
}

async fn write(
    pool: PgPool,
    append: Value,
    token_hash: Vec<u8>,
    now: DateTime<Utc>,
    email_hash: Vec<u8>,
) -> Result<Option<i64>, sqlx::Error> {
    let position = sqlx::query_scalar!(
        "WITH used AS (
             DELETE FROM link_tokens l USING credentials c
             WHERE l.token_hash = $2 AND l.purpose = 'confirm_email' AND l.expires_at > $3
                 AND (c.user_id, c.session_version) = (l.user_id, l.session_version)
             RETURNING l.user_id
         ), verified AS (
             UPDATE credentials c SET unverified = false FROM used WHERE c.user_id = used.user_id AND c.is_active
             RETURNING c.user_id
         ), claim AS (
             UPDATE email_claims e SET email_hash = $4 FROM verified v WHERE e.user_id = v.user_id RETURNING e.user_id
         ), others AS (
             DELETE FROM link_tokens l USING claim c WHERE l.user_id = c.user_id AND l.token_hash <> $2 RETURNING 1
         )
         SELECT append_or_fail($1) FROM claim, (SELECT count(*) FROM others) o",
        append,
        token_hash,
        now,
        email_hash
    );
    Ok(position.fetch_optional(&pool).await?.flatten())
}
